"""Whether a second Ray cluster finds nodes and quota beside the first.

Both run until the second one answers. Without room it waits for nodes that never come, and so does
the change: https://github.com/ray-project/kuberay/issues/1476 and /4239. It is asked of a change
that starts one, and never of a stack as it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from models.catalog import quota_in_words
from models.problems import Problem

_FIRST_LOWER = "lower replicas.min in an `up` of its own beforehand"


@dataclass(frozen=True, kw_only=True)
class PoolRoom:
    """One GPU pool. path: of its entry in the stack file; nodes: what its models' minima need."""

    id: str
    path: str
    nodes: int
    max_nodes: int


@dataclass(frozen=True, kw_only=True)
class QuotaRoom:
    """One quota. both: what two clusters take of it; limit: None if the stack file gives none."""

    metric: str
    both: int
    limit: int | None


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a stack has for two clusters at once, after a change."""

    pools: tuple[PoolRoom, ...]
    quotas: tuple[QuotaRoom, ...]


def shortages(running: Mapping[str, int], room: Room) -> tuple[Problem, ...]:
    """What a second cluster lacks.

    running: the nodes that the first one keeps, by pool.
    """
    return (*_of_pools(running, room), *_of_quotas(running, room))


def _of_pools(running: Mapping[str, int], room: Room) -> Iterator[Problem]:
    for pool in room.pools:
        first = running.get(pool.id, 0)
        both = first + pool.nodes
        # A pool that is too small for one cluster has a rule of its own.
        if pool.nodes <= pool.max_nodes < both:
            yield Problem(
                path=f"{pool.path}.maxNodes",
                value=pool.max_nodes,
                reason=f"is below the {both} nodes of {pool.id} that this change needs: a second "
                f"RayCluster takes {pool.nodes} beside the {first} of the first one, and would "
                "wait for them without an end",
                remedy=f"Use {both}, or {_FIRST_LOWER}",
                rule="pool-below-upgrade",
            )


def _of_quotas(running: Mapping[str, int], room: Room) -> Iterator[Problem]:
    # `both` counts the new minima twice. That is too much if the first cluster keeps less.
    if any(running.get(pool.id, 0) < pool.nodes for pool in room.pools):
        return
    for quota in room.quotas:
        if quota.limit is not None and quota.both > quota.limit:
            yield Problem(
                path=f"ray-llm:quotas.{quota.metric}",
                value=quota.limit,
                reason=f"is below the {quota.both} that this change needs, because a second "
                "RayCluster starts next to the first",
                remedy=f"Ask Google for {quota.both} of {quota_in_words(quota.metric)}, or "
                f"{_FIRST_LOWER}",
                rule="quota-below-upgrade",
            )
