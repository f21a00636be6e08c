"""One LLM on a cluster that another team runs: their pools, their KubeRay, our service.

Python says here what a stack file would say, and the same rules check it.
"""

import pulumi
import pulumi_kubernetes as kubernetes

from components import RayLlmService, RayLlmServiceArgs, service_or_stop
from models.service import ServiceSettings
from models.stack import GpuPoolSettings, ModelDeployment, ReplicaSettings

config = pulumi.Config()

manifests = service_or_stop(
    models=[
        ModelDeployment(
            model="qwen2.5-7b-instruct",
            name="chat",
            context_length=config.require_int("contextLength"),
            replicas=ReplicaSettings(min=1, max=4),
        )
    ],
    # Names and sizes of pools that exist: nothing is created from them here.
    gpu_pools=[GpuPoolSettings(tier="l4", name="shared-l4", max_nodes=8)],
    service=ServiceSettings(name="chat", namespace="chat"),
)

shared_cluster = kubernetes.Provider(
    "shared-cluster",
    context=config.require("kubeContext"),
    # Without these, a changed token or LLM config deletes its object and makes another one.
    enable_secret_mutable=True,
    enable_config_map_mutable=True,
)

chat = RayLlmService(
    "chat",
    RayLlmServiceArgs(manifests=manifests),
    pulumi.ResourceOptions(provider=shared_cluster),
)

pulumi.export("endpoints", chat.endpoints)
pulumi.export("firstCurl", chat.first_curl)
