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
    """One GPU pool.

    path: of its entry in the stack file; nodes: what its models' minima need; min_nodes: what it
    keeps without them; gpus: those of a node.
    """

    id: str
    path: str
    nodes: int
    max_nodes: int
    min_nodes: int = 0
    gpus: int = 1


@dataclass(frozen=True, kw_only=True)
class HeadRoom:
    """The pool of the Ray head and the routers.

    path: of its settings; nodes: what one Ray cluster needs of it; both: what two need; recreating:
    what one and the head of another need.
    """

    path: str
    nodes: int
    both: int
    recreating: int
    max_nodes: int


@dataclass(frozen=True, kw_only=True)
class QuotaRoom:
    """One quota.

    of_node: what a node of each GPU pool takes of it; others: what all other nodes take while there
    are two clusters; limit: None if the stack file gives none.
    """

    metric: str
    of_node: Mapping[str, int]
    others: int
    limit: int | None


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a stack has for two clusters at once, after a change.

    head: None if that pool is somebody else's.
    """

    pools: tuple[PoolRoom, ...]
    quotas: tuple[QuotaRoom, ...]
    head: HeadRoom | None = None


def shortages(running: Mapping[str, int], room: Room) -> tuple[Problem, ...]:
    """What a second cluster lacks.

    running: the nodes that the first one keeps, by pool.
    """
    of_head = _of_head(room.head, room.head.both if room.head else 0)
    return (*_of_pools(running, room), *of_head, *_of_quotas(running, room))


def shortages_of_head(room: Room) -> tuple[Problem, ...]:
    """What a second cluster lacks if the first one goes as soon as the second one's head runs."""
    return tuple(_of_head(room.head, room.head.recreating if room.head else 0))


def _of_head(head: HeadRoom | None, needed: int) -> Iterator[Problem]:
    # A pool that is too small for one cluster has a rule of its own.
    if head is not None and head.nodes <= head.max_nodes < needed:
        yield Problem(
            path=f"{head.path}.maxNodes",
            value=head.max_nodes,
            reason=f"is below the {needed} nodes that this change needs: a second RayCluster has a "
            "head of its own, and would wait for a node without an end",
            remedy=f"Use {needed}",
            rule="pool-below-upgrade",
        )


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
    nodes = {
        pool.id: max(
            pool.min_nodes, min(running.get(pool.id, 0) + pool.nodes, pool.max_nodes), pool.nodes
        )
        for pool in room.pools
    }
    for quota in room.quotas:
        both = quota.others + sum(nodes[pool] * count for pool, count in quota.of_node.items())
        if quota.limit is not None and both > quota.limit:
            yield Problem(
                path=f"ray-llm:quotas.{quota.metric}",
                value=quota.limit,
                reason=f"is below the {both} that this change needs, because a second "
                "RayCluster starts next to the first",
                remedy=f"Ask Google for {both} of {quota_in_words(quota.metric)}, or "
                f"{_FIRST_LOWER}",
                rule="quota-below-upgrade",
            )
