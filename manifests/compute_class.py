"""Writes the ComputeClass of each pool with several ways to pay: in which order GKE asks for nodes.

The class names node pools that this program owns, so GKE makes none of its own, and nothing is
asked for that the plan does not show. A node pool belongs to a class by a label and a taint:
https://cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes
"""

from typing import Any, Final

from manifests.labels import labels
from planning import Plan, PoolPlan

COMPUTE_CLASS_LABEL: Final = "cloud.google.com/compute-class"
"""The key of the label of nodes, of their taint, and of the selector of pods."""


def compute_classes(plan: Plan) -> tuple[dict[str, Any], ...]:
    """One object, which has no namespace, for each of these pools."""
    return tuple(_compute_class(plan, pool) for pool in plan.pools if pool.compute_class)


def _compute_class(plan: Plan, pool: PoolPlan) -> dict[str, Any]:
    return {
        "apiVersion": "cloud.google.com/v1",
        "kind": "ComputeClass",
        "metadata": {"name": pool.compute_class, "labels": labels(plan, "compute-class")},
        "spec": {
            "priorities": [{"nodepools": [way.node_pool]} for way in pool.ways],
            # Never another machine: the memory plan is that of this one.
            "whenUnsatisfiable": "DoNotScaleUp",
            # Not activeMigration: it would drain a node, and load a model again, each time that a
            # preferred way has a node.
        },
    }
