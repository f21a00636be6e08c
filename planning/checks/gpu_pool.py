"""Whether a GPU pool's minimum and maximum suit the models that were placed on it."""

from collections.abc import Iterable, Sequence
from typing import Final

from models.problems import Problem
from models.ways_out import outside, use
from planning.checks.contexts import StackContext

_NAMED: Final = 5


def capacity_problems(context: StackContext) -> Iterable[Problem]:
    """A stop if the models' minima can never run, a warning if their maxima cannot."""
    for pool in context.pools:
        names = _listed([model.name for model in context.models if model.pool == pool.id])
        path = f"{pool.path}.maxNodes"
        if len(pool.ways) == 1 and pool.max_nodes == pool.ways[0].reserved_nodes:
            path = f"{pool.ways[0].path}.nodes"
        if pool.nodes_at_min > pool.max_nodes:
            yield Problem(
                path=path,
                value=pool.max_nodes,
                reason=f"is below the {pool.nodes_at_min} nodes of {pool.id} that are needed for "
                f"the minimum replicas of {names}, so some would never start",
                remedy="Allow more nodes, or use fewer replicas",
                rule="pool-below-minimum",
                candidates=(use(path, pool.nodes_at_min, f"use {pool.nodes_at_min} or more"),),
            )
        elif pool.nodes_at_max > pool.max_nodes and pool.most_nodes > pool.max_nodes:
            beyond = min(pool.nodes_at_max, pool.most_nodes)
            yield Problem(
                path=path,
                value=pool.max_nodes,
                reason=f"is below the {pool.nodes_at_max} nodes of {pool.id} that are needed for "
                f"the maximum replicas of {names}, and GKE keeps it for each way to pay alone: "
                f"under full load up to {beyond} nodes start and are paid for",
                remedy="Allow more nodes, or fewer replicas",
                rule="pool-below-maximum",
                candidates=(
                    use(path, pool.nodes_at_max, f"use {pool.nodes_at_max}"),
                    outside("lower replicas.max"),
                ),
            )
        elif pool.nodes_at_max > pool.max_nodes:
            yield Problem(
                path=path,
                value=pool.max_nodes,
                reason=f"is below the {pool.nodes_at_max} nodes of {pool.id} that are needed for "
                f"the maximum replicas of {names}: under full load some replicas will wait",
                remedy="Allow more nodes, or accept the cap",
                rule="pool-below-maximum",
                candidates=(
                    use(path, pool.nodes_at_max, f"use {pool.nodes_at_max}"),
                    outside("accept the cap"),
                ),
            )


def idle_minimum_problems(context: StackContext) -> Iterable[Problem]:
    """A warning if minNodes keeps GPU nodes that no model needs: the pool never scales to zero.

    https://cloud.google.com/kubernetes-engine/docs/concepts/cluster-autoscaler: a pool never goes
    below its minimum, idle or not.
    """
    for pool in context.pools:
        if pool.min_nodes > pool.nodes_at_min:
            yield Problem(
                path=f"{pool.path}.minNodes",
                value=pool.min_nodes,
                reason=f"keeps more nodes of {pool.id} than the {pool.nodes_at_min} that its "
                "models need at their minimum: their GPUs are paid for and idle",
                remedy="Keep fewer nodes, or raise replicas.min",
                rule="pool-min-nodes",
                candidates=(
                    use(f"{pool.path}.minNodes", pool.nodes_at_min, f"use {pool.nodes_at_min}"),
                    outside("raise replicas.min"),
                ),
            )


def _listed(names: Sequence[str]) -> str:
    """The first few names; a pool may carry hundreds."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
