"""Writes the PodDisruptionBudget of the Ray head."""

from typing import Any

from manifests.labels import labels
from planning import Plan


def head_disruption_budget(plan: Plan) -> dict[str, Any]:
    """The budget by which nobody may evict the one head of a Ray cluster.

    Whoever evicts it stops every model until it has loaded again. GKE's autoscaler would do so to
    empty a CPU node that is used by less than half, as it may evict any pod that something makes
    again. An upgrade of nodes is only delayed: after an hour GKE goes on nevertheless
    (https://cloud.google.com/kubernetes-engine/docs/concepts/node-pool-upgrade-strategies).
    KubeRay deletes pods without asking for an eviction, so that no rollout is held up.

    Pods of a Ray cluster have no label of their service; there is one service a namespace.
    A whole number as minimum, because for pods of an owner that Kubernetes does not know it refuses
    everything else. While two clusters run, one of the two heads may be evicted.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": f"{plan.service.name}-head",
            "namespace": plan.service.namespace,
            "labels": labels(plan, "head-disruption-budget"),
        },
        "spec": {
            "minAvailable": 1,
            "selector": {"matchLabels": {"ray.io/node-type": "head"}},
            # A head that is broken protects nothing, and must not keep a node from being repaired.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
