"""The program without ray-llm: every resource is written by hand, manifests are YAML files."""

from pathlib import Path

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as k8s
import yaml

MANIFESTS = Path(__file__).parent / "manifests"
ZONES = ["us-central1-a", "us-central1-c"]
config = pulumi.Config("ray-llm")
project = pulumi.Config("gcp").require("project")
region = pulumi.Config("gcp").require("region")
# benchmarks/updates.py destroys the stack, and previews it with one model edited.
protected = config.get_bool("protected", True)
edited = config.get_bool("edited", False)


def manifests(name):
    text = (MANIFESTS / name).read_text()
    if edited:
        text = text.replace("max_model_len: 8192", "max_model_len: 4096", 1)
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


cluster = gcp.container.Cluster(
    "cluster",
    name="llm-prod",
    project=project,
    location=region,
    node_locations=ZONES,
    networking_mode="VPC_NATIVE",
    datapath_provider="ADVANCED_DATAPATH",
    deletion_protection=protected,
    remove_default_node_pool=True,
    initial_node_count=1,
    release_channel={"channel": "REGULAR"},
    workload_identity_config={"workload_pool": f"{project}.svc.id.goog"},
    monitoring_config={
        "enable_components": [
            "SYSTEM_COMPONENTS",
            "POD",
            "DEPLOYMENT",
            "KUBELET",
            "CADVISOR",
            "DCGM",
        ],
        "managed_prometheus": {"enabled": True},
    },
    addons_config={"gcs_fuse_csi_driver_config": {"enabled": True}},
    opts=pulumi.ResourceOptions(
        protect=protected, ignore_changes=["nodeConfig", "initialNodeCount"]
    ),
)


def node_config(machine_type, disk_gb, **more):
    return {
        "machine_type": machine_type,
        "disk_type": "pd-balanced",
        "disk_size_gb": disk_gb,
        "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
        "gcfs_config": {"enabled": True},
        "gvnic": {"enabled": True},
        "workload_metadata_config": {"mode": "GKE_METADATA"},
        **more,
    }


app_pool = gcp.container.NodePool(
    "app-pool",
    name="app-pool",
    project=project,
    location=region,
    cluster=cluster.name,
    node_locations=ZONES,
    initial_node_count=1,
    autoscaling={"total_min_node_count": 1, "total_max_node_count": 6},
    node_config=node_config(
        "e2-standard-8",
        100,
        spot=False,
        shielded_instance_config={
            "enable_secure_boot": True,
            "enable_integrity_monitoring": True,
        },
    ),
    upgrade_settings={"max_surge": 1, "max_unavailable": 0},
    opts=pulumi.ResourceOptions(ignore_changes=["initialNodeCount", "nodeCount"]),
)

pools = []
for name, machine, accelerator, count, taint, spot, disk, nodes in (
    ("l4", "g2-standard-12", "nvidia-l4", 1, "l4", False, 200, 20),
    ("l4-spot", "g2-standard-12", "nvidia-l4", 1, "l4", True, 200, 10),
    ("l4-x2", "g2-standard-24", "nvidia-l4", 2, "l4", False, 200, 10),
    ("a100-80gb-x2", "a2-ultragpu-2g", "nvidia-a100-80gb", 2, "a100-80gb", False, 360, 4),
):
    pools.append(
        gcp.container.NodePool(
            name,
            name=name,
            project=project,
            location=region,
            cluster=cluster.name,
            node_locations=ZONES,
            initial_node_count=0,
            autoscaling={
                "total_min_node_count": 0,
                "total_max_node_count": nodes,
                "location_policy": "ANY",
            },
            node_config=node_config(
                machine,
                disk,
                spot=spot,
                guest_accelerators=[
                    {
                        "type": accelerator,
                        "count": count,
                        "gpu_driver_installation_config": {"gpu_driver_version": "LATEST"},
                    }
                ],
                taints=[{"key": "nvidia.com/gpu-type", "value": taint, "effect": "NO_SCHEDULE"}],
                shielded_instance_config={
                    "enable_secure_boot": False,
                    "enable_integrity_monitoring": True,
                },
            ),
            upgrade_settings={"max_surge": 0, "max_unavailable": 1},
            opts=pulumi.ResourceOptions(
                depends_on=[app_pool], ignore_changes=["initialNodeCount", "nodeCount"]
            ),
        )
    )

kubeconfig = pulumi.Output.json_dumps(
    {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "llm-prod",
        "contexts": [{"name": "llm-prod", "context": {"cluster": "llm-prod", "user": "me"}}],
        "clusters": [
            {
                "name": "llm-prod",
                "cluster": {
                    "server": pulumi.Output.concat("https://", cluster.endpoint),
                    "certificate-authority-data": pulumi.Output.unsecret(
                        cluster.master_auth.cluster_ca_certificate
                    ),
                },
            }
        ],
        "users": [
            {
                "name": "me",
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "gke-gcloud-auth-plugin",
                        "interactiveMode": "IfAvailable",
                        "provideClusterInfo": True,
                    }
                },
            }
        ],
    }
)
provider = k8s.Provider(
    "kubernetes",
    kubeconfig=kubeconfig,
    cluster_identifier="llm-prod",
    enable_server_side_apply=True,
)
opts = pulumi.ResourceOptions(provider=provider, depends_on=[app_pool])

operator_namespace = k8s.core.v1.Namespace(
    "kuberay-system", metadata={"name": "kuberay-system"}, opts=opts
)
# Helm installs the CRDs of its chart; ray-llm keeps a record of each.
crds = [
    pulumi.Stash(kind, input={"name": f"{kind}.ray.io", "kubeRay": "1.6.2"})
    for kind in ("rayclusters", "raycronjobs", "rayjobs", "rayservices")
]
operator = k8s.helm.v3.Release(
    "kuberay-operator",
    name="kuberay-operator",
    chart="kuberay-operator",
    version="1.6.2",
    repository_opts={"repo": "https://ray-project.github.io/kuberay-helm/"},
    namespace=operator_namespace.metadata.name,
    atomic=True,
    cleanup_on_fail=True,
    timeout=900,
    values={
        "resources": {
            "requests": {"cpu": "200m", "memory": "1Gi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        }
    },
    opts=pulumi.ResourceOptions(provider=provider, depends_on=crds),
)

namespace = k8s.core.v1.Namespace("ai", metadata={"name": "ai"}, opts=opts)
in_namespace = pulumi.ResourceOptions(provider=provider, depends_on=[namespace])
secret = k8s.core.v1.Secret(
    "huggingface-secret",
    metadata={"name": "huggingface-secret", "namespace": "ai"},
    type="Opaque",
    string_data={"token": config.require_secret("huggingFaceToken")},
    opts=in_namespace,
)
config_maps = [
    k8s.core.v1.ConfigMap(
        manifest["metadata"]["name"],
        metadata=manifest["metadata"],
        data=manifest["data"],
        opts=in_namespace,
    )
    for manifest in manifests("config_maps.yaml")
]
(ray_service,) = manifests("ray_service.yaml")
service = k8s.apiextensions.CustomResource(
    "llm-serving",
    api_version=ray_service["apiVersion"],
    kind=ray_service["kind"],
    metadata=ray_service["metadata"],
    spec=ray_service["spec"],
    opts=pulumi.ResourceOptions(
        provider=provider, depends_on=[*pools, operator, secret, *config_maps]
    ),
)
account, role, binding, script, job = manifests("smoke_test.yaml")
k8s.core.v1.ServiceAccount("smoke-test", metadata=account["metadata"], opts=in_namespace)
k8s.rbac.v1.Role("smoke-test", metadata=role["metadata"], rules=role["rules"], opts=in_namespace)
k8s.rbac.v1.RoleBinding(
    "smoke-test",
    metadata=binding["metadata"],
    role_ref=binding["roleRef"],
    subjects=binding["subjects"],
    opts=in_namespace,
)
script_files = k8s.core.v1.ConfigMap(
    "smoke-test-script", metadata=script["metadata"], data=script["data"], opts=in_namespace
)
k8s.batch.v1.Job(
    "smoke-test",
    metadata=job["metadata"],
    spec=job["spec"],
    opts=pulumi.ResourceOptions(provider=provider, depends_on=[service, script_files]),
)
pulumi.export("cluster", cluster.name)
