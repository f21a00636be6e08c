"""A small program for Ray on GKE: a cluster, a node pool and a RayService."""

import json
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as k8s

config = pulumi.Config()
token = pulumi.Config("app").require_secret("token")
crd_base = (
    "https://raw.githubusercontent.com/ray-project/kuberay/v1.6.2/ray-operator/config/crd/bases"
)

cluster = gcp.container.Cluster(
    "cluster",
    name="sample",
    location="us-central1",
    node_locations=["us-central1-a", "us-central1-c"],
    initial_node_count=1,
    remove_default_node_pool=True,
    deletion_protection=False,
)
pool = gcp.container.NodePool(
    "l4",
    name="l4",
    cluster=cluster.name,
    location=cluster.location,
    node_locations=["us-central1-a", "us-central1-c"],
    initial_node_count=0,
    autoscaling={"total_min_node_count": 0, "total_max_node_count": config.get_int("max") or 4},
    node_config={
        "machine_type": config.get("machine") or "g2-standard-12",
        "spot": config.get_bool("spot") or False,
        "guest_accelerators": [{"type": "nvidia-l4", "count": 1}],
        "taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}],
    },
)


def kubeconfig(parts: list[Any]) -> str:
    """A kubeconfig for the cluster."""
    endpoint, auth, name = parts
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    "cluster": {
                        "server": f"https://{endpoint}",
                        "certificate-authority-data": auth["cluster_ca_certificate"],
                    },
                }
            ],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
            "users": [{"name": name, "user": {"token": "t"}}],
        }
    )


provider = k8s.Provider(
    "kubernetes",
    kubeconfig=pulumi.Output.all(cluster.endpoint, cluster.master_auth, cluster.name).apply(
        kubeconfig
    ),
    cluster_identifier="acme-ml/us-central1/sample",
)
opts = pulumi.ResourceOptions(provider=provider)
crds = k8s.yaml.v2.ConfigGroup(
    "crds",
    files=[f"{crd_base}/ray.io_{name}.yaml" for name in ("rayclusters", "rayservices")],
    opts=pulumi.ResourceOptions(providers=[provider]),
)
namespace = k8s.core.v1.Namespace("ai", metadata={"name": "ai"}, opts=opts)
operator = k8s.helm.v3.Release(
    "kuberay-operator",
    chart="kuberay-operator",
    version="1.6.2",
    namespace=namespace.metadata.name,
    repository_opts={"repo": "https://ray-project.github.io/kuberay-helm/"},
    skip_crds=True,
    opts=opts,
)
secret = k8s.core.v1.Secret(
    "token",
    metadata={"name": "huggingface-secret", "namespace": namespace.metadata.name},
    string_data={"token": token},
    opts=opts,
)
models = k8s.core.v1.ConfigMap(
    "models",
    metadata={"namespace": namespace.metadata.name},
    data={"qwen": config.get("model") or "max_model_len: 4096"},
    opts=opts,
)
service = k8s.apiextensions.CustomResource(
    "llm-serving",
    api_version="ray.io/v1",
    kind="RayService",
    metadata={
        "name": "llm-serving",
        "namespace": namespace.metadata.name,
        "annotations": {"pulumi.com/waitFor": "condition=Ready"},
    },
    spec={
        "serveConfigV2": "applications: []",
        "rayClusterConfig": {
            "rayVersion": "2.49.1",
            "headGroupSpec": {
                "rayStartParams": {"num-cpus": "0"},
                "template": {
                    "spec": {
                        "containers": [
                            {
                                "name": "head",
                                "image": "rayproject/ray:2.49.1",
                                "resources": {"limits": {"cpu": 2, "memory": "8Gi"}},
                            }
                        ]
                    }
                },
            },
        },
    },
    opts=pulumi.ResourceOptions(provider=provider, depends_on=[crds, operator]),
)
job = k8s.batch.v1.Job(
    "ask",
    metadata={"namespace": namespace.metadata.name},
    spec={
        "template": {
            "spec": {
                "restart_policy": "Never",
                "containers": [{"name": "ask", "image": "python:3.11", "command": ["true"]}],
            }
        }
    },
    opts=pulumi.ResourceOptions(provider=provider, depends_on=[service]),
)
pulumi.export("endpoint", cluster.endpoint)
pulumi.export("token", token)
