"""What a change of a plan does to what is running, by kind: in place, another RayCluster, replaced.

For plans of which only the data is known. Two stack files are compared with the rules of rollouts/,
which see the models' rooms and the stack's strategy (reports/change_effects.py).

KubeRay updates a RayService in place for its serve config and for a worker group appended at the
end, and does not compare the groups' numbers of workers; everything else in the RayClusterSpec
starts a second RayCluster (ray-operator, controllers/ray/rayservice_controller.go). The fields for
which GKE replaces a node pool are the catalogue's.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import chain
from typing import Final

from models.catalog import NODE_BY_NODE_POOL_FIELDS, REPLACING_POOL_FIELDS


class Rollout(StrEnum):
    """How a change is applied, the least disruptive first; the value is shown to people."""

    AT_ONCE = "in place, nothing restarts"
    REPLICAS = (
        "in place, the model's new version takes over from the old one, beside which it starts if "
        "its pool has room; if not, requests are held until it has loaded"
    )
    NODES = "in place, GKE replaces the pool's nodes one after the other"
    OPERATOR = "the operator is upgraded and rewrites the RayCluster in place"
    SECOND_CLUSTER = (
        "another RayCluster starts, in which every model loads anew: beside the first one, so that "
        "GPUs are needed twice until it is ready, or after it with ray-llm:rollout.strategy: "
        "recreate"
    )
    POOL_REPLACED_AND_SECOND_CLUSTER = (
        "the node pool is deleted and created again, and another RayCluster starts for it"
    )
    POOL_REPLACED = "the node pool is deleted and created again; its models are down until then"
    SERVICE_REPLACED = (
        "the RayService is replaced by another one, whose endpoints are others; the old one goes "
        "when that one answers"
    )
    CLUSTER_REPLACED = (
        "the cluster is replaced by another one, with everything in it; no model answers until "
        "that one has loaded it"
    )


POOL_FIELDS: Final[Mapping[str, Rollout]] = {
    **dict.fromkeys(chain(*REPLACING_POOL_FIELDS.values()), Rollout.POOL_REPLACED),
    # Pods on spot nodes get a shorter grace period, which is a field of the RayClusterSpec.
    "spot": Rollout.POOL_REPLACED_AND_SECOND_CLUSTER,
    **dict.fromkeys(chain(*NODE_BY_NODE_POOL_FIELDS.values()), Rollout.NODES),
    "zones": Rollout.AT_ONCE,
    "minNodes": Rollout.AT_ONCE,
    "maxNodes": Rollout.AT_ONCE,
    "pod": Rollout.SECOND_CLUSTER,
    "idleTimeoutSeconds": Rollout.SECOND_CLUSTER,
    "compileCache": Rollout.SECOND_CLUSTER,
    # Pods choose a class or a node pool.
    "computeClass": Rollout.SECOND_CLUSTER,
    # Another order, or another way, touches no node; `of_ways` sees one that goes.
    "capacity": Rollout.AT_ONCE,
}
CLUSTER_FIELDS: Final[Mapping[str, Rollout]] = {
    "name": Rollout.CLUSTER_REPLACED,
    "location": Rollout.CLUSTER_REPLACED,
    "existing": Rollout.CLUSTER_REPLACED,
    "network": Rollout.CLUSTER_REPLACED,
    "subnetwork": Rollout.CLUSTER_REPLACED,
    "zones": Rollout.AT_ONCE,
    "releaseChannel": Rollout.AT_ONCE,
}
CPU_POOL_FIELDS: Final[Mapping[str, Rollout]] = {
    # The Ray head selects this pool by name.
    "name": Rollout.SECOND_CLUSTER,
    "machineType": Rollout.NODES,
    "minNodes": Rollout.AT_ONCE,
    "maxNodes": Rollout.AT_ONCE,
}
VERSIONS: Final[Mapping[str, Rollout]] = {
    "ray": Rollout.SECOND_CLUSTER,
    "image": Rollout.SECOND_CLUSTER,
    # What is in the image. Another image is listed as `image`, and edits of models as theirs.
    "vllm": Rollout.AT_ONCE,
    "kuberay": Rollout.OPERATOR,
    "kuberayInstall": Rollout.OPERATOR,
}
SERVICE: Final[Mapping[str, Rollout]] = {
    "name": Rollout.SERVICE_REPLACED,
    "namespace": Rollout.SERVICE_REPLACED,
}
WEIGHTS: Final[Mapping[str, Rollout]] = {
    "bucket": Rollout.SECOND_CLUSTER,
    "disk": Rollout.SECOND_CLUSTER,
    "location": Rollout.AT_ONCE,
    "creates": Rollout.AT_ONCE,
}
HARDENING: Final[Mapping[str, Rollout]] = {
    **{key: POOL_FIELDS[key] for key in ("privateNodes", "nodeServiceAccount")},
    "cloudNat": Rollout.AT_ONCE,
    # Both are written into the pods of the RayCluster.
    "podSecurity": Rollout.SECOND_CLUSTER,
    "headRecovery": Rollout.SECOND_CLUSTER,
}
# What collects metrics, its rules and dashboards stand beside the service.
MONITORING: Final[Mapping[str, Rollout]] = dict.fromkeys(
    ("system", "namespace", "channel", "timeToFirstTokenSeconds", "monthlyBudget"), Rollout.AT_ONCE
)
# Ray hashes an application's whole arguments into the version of its deployments
# (ray.serve._private.deploy_utils.get_app_code_version). What scales a model is not among them: it
# is an override of its deployment, which changes in place.
MODEL_FIELDS: Final[Mapping[str, Rollout]] = {
    "source": Rollout.REPLICAS,
    "gpu": Rollout.REPLICAS,
    "tensorParallelSize": Rollout.REPLICAS,
    "pipelineParallelSize": Rollout.REPLICAS,
    "dtype": Rollout.REPLICAS,
    "contextLength": Rollout.REPLICAS,
    "replicas": Rollout.AT_ONCE,
    "offHours": Rollout.AT_ONCE,
    "family": Rollout.AT_ONCE,  # the ConfigMap that shows it
}
SCALING_FIELDS: Final = (
    "target_ongoing_requests",
    "max_ongoing_requests",
    "upscale_delay_s",
    "downscale_delay_s",
    "routers",
)
"""The fields of a model's configuration in a plan's data that change in place."""


def of_pool_order(old: Sequence[str], new: Sequence[str]) -> Rollout:
    """What a change of the list of pools does: only pools appended at the end are in place."""
    return Rollout.AT_ONCE if list(new[: len(old)]) == list(old) else Rollout.SECOND_CLUSTER


def of_ways(old: Sequence[str], new: Sequence[str]) -> Rollout:
    """What a change of a pool's ways to pay does: the nodes of one that goes are deleted."""
    return Rollout.NODES if set(old) - set(new) else Rollout.AT_ONCE
