"""Whether a pool's maximum holds the models that were placed on it."""

from collections.abc import Iterable, Sequence
from typing import Final

from models.problems import Problem, Severity
from planning.plan import ModelPlan, PoolPlan

_NAMED: Final = 5


def capacity_problems(
    pools: Sequence[PoolPlan], indexes: Sequence[int], models: Sequence[ModelPlan]
) -> Iterable[Problem]:
    """A stop where the models' minima can never run, a warning where their maxima cannot.

    indexes: the place in the file of each pool.
    """
    for pool, index in zip(pools, indexes, strict=True):
        names = _listed([model.name for model in models if model.pool == pool.id])
        path = f"ray-llm:gpuPools[{index}].maxNodes"
        if pool.nodes_at_min > pool.max_nodes:
            yield Problem(
                path=path,
                value=pool.max_nodes,
                reason=f"is below the {pool.nodes_at_min} nodes of {pool.id} that the minimum "
                f"replicas of {names} need, so some would never start",
                remedy=f"Use {pool.nodes_at_min} or more, or fewer replicas",
                rule="pool-below-minimum",
            )
        elif pool.nodes_at_max > pool.max_nodes:
            yield Problem(
                path=path,
                value=pool.max_nodes,
                reason=f"is below the {pool.nodes_at_max} nodes of {pool.id} that {names} need "
                "with all at their maximum replicas: under full load some replicas will wait",
                remedy=f"Use {pool.nodes_at_max}, or accept the cap",
                rule="pool-below-maximum",
                severity=Severity.WARN,
            )


def _listed(names: Sequence[str]) -> str:
    """The first few names; a pool may carry hundreds."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def idle_minimum_problems(pools: Sequence[PoolPlan], indexes: Sequence[int]) -> Iterable[Problem]:
    """A warning where minNodes keeps GPU nodes that no model needs: scaling to zero is off then.

    https://cloud.google.com/kubernetes-engine/docs/concepts/cluster-autoscaler: a pool never goes
    below its minimum, idle or not.
    """
    for pool, index in zip(pools, indexes, strict=True):
        if pool.min_nodes > pool.nodes_at_min:
            yield Problem(
                path=f"ray-llm:gpuPools[{index}].minNodes",
                value=pool.min_nodes,
                reason=f"keeps more nodes of {pool.id} than the {pool.nodes_at_min} that its "
                "models need at their minimum: their GPUs are paid for and idle",
                remedy=f"Use {pool.nodes_at_min}, or raise replicas.min",
                rule="pool-min-nodes",
                severity=Severity.WARN,
            )
