"""Whether a second Ray cluster finds nodes and quota beside the first.

Both run until the second one answers. Without room it waits for nodes that never come, and so does
the change: https://github.com/ray-project/kuberay/issues/1476 and /4239. It is asked of a change
that starts one, and never of a stack as it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from models.catalog import quota_in_words
from models.problems import Problem
from rollouts.gpu_quota import GpuQuota

NodeQuota = Mapping[str, Mapping[str, int]]
"""What a node of each GPU pool takes of quotas: counts by metric, by pool."""

_GPUS: Final = "GPUS"
_FIRST_LOWER: Final = "lower replicas.min in an `up` of its own beforehand"


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
    are two clusters; others_of_one: with one; others_recreating: with one and the head of another;
    limit: None if the stack file gives none.
    """

    metric: str
    of_node: Mapping[str, int]
    others: int
    others_of_one: int
    others_recreating: int
    limit: int | None


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a stack has for two clusters at once, after a change.

    head: None if that pool is somebody else's.
    """

    pools: tuple[PoolRoom, ...]
    quotas: tuple[QuotaRoom, ...]
    head: HeadRoom | None = None

    @property
    def node_quota(self) -> NodeQuota:
        """What a node of each GPU pool takes of the quotas of GPUs.

        Not those of disks and CPUs: what is written to the RayService is not to change with them.
        """
        gpus = [quota for quota in self.quotas if _GPUS in quota.metric]
        return {
            pool.id: {
                quota.metric: quota.of_node[pool.id] for quota in gpus if quota.of_node.get(pool.id)
            }
            for pool in self.pools
        }

    def with_pools_that_go(self, before: NodeQuota) -> "Room":
        """The room while pools of before the change are still there, with what their nodes take."""
        gone = {pool: counts for pool, counts in before.items() if pool not in self.node_quota}
        if not gone:
            return self
        quotas = [
            replace(
                quota,
                of_node={
                    **quota.of_node,
                    **{pool: counts.get(quota.metric, 0) for pool, counts in gone.items()},
                },
            )
            for quota in self.quotas
        ]
        return replace(self, quotas=tuple(quotas))

    @property
    def pool_gpus(self) -> Mapping[str, int]:
        """The most GPUs that each pool can have, whatever the quotas."""
        return {pool.id: pool.max_nodes * pool.gpus for pool in self.pools}

    @property
    def gpu_quotas(self) -> tuple[GpuQuota, ...]:
        """The quotas with a limit that the pools count against."""
        pools = {pool.id: pool for pool in self.pools}
        return tuple(
            GpuQuota(
                metric=quota.metric,
                limit=quota.limit,
                others=quota.others_of_one,
                of_node={pool: count for pool, count in quota.of_node.items() if pool in pools},
                node_gpus={pool: pools[pool].gpus for pool in pools},
                min_nodes={pool: pools[pool].min_nodes for pool in pools},
            )
            for quota in self.quotas
            if quota.limit is not None and any(quota.of_node.get(pool) for pool in pools)
        )


def counts(found: Any) -> Mapping[str, int]:
    """Whole numbers by key; empty for what the state has in another form."""
    try:
        # Pulumi's numbers are all of one kind.
        return {str(key): int(count) for key, count in found.items()}
    except (AttributeError, TypeError, ValueError, OverflowError):
        return {}


def noted_quota(found: Any) -> NodeQuota:
    """A `Room.node_quota` as the state has it; empty if that has another form."""
    return (
        {str(pool): counts(of_node) for pool, of_node in found.items()}
        if isinstance(found, Mapping)
        else {}
    )


def shortages(running: Mapping[str, int], room: Room) -> tuple[Problem, ...]:
    """What a second cluster lacks.

    running: the nodes that the first one keeps, by pool.
    """
    of_head = _of_head(room.head, room.head.both if room.head else 0)
    return (*_of_pools(running, room), *of_head, *_of_quotas(running, room))


def shortages_of_head(running: Mapping[str, int], room: Room) -> tuple[Problem, ...]:
    """What a second cluster lacks if the first one goes as soon as the second one's head runs.

    running: as for `shortages`.
    """
    of_head = _of_head(room.head, room.head.recreating if room.head else 0)
    return (*of_head, *_of_quotas_with_head(running, room))


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
    # A pool that is too small has a problem of its own. Whoever raises it needs all of this.
    starting = {pool.id: pool.nodes for pool in room.pools}
    for quota in room.quotas:
        yield from _of_quota(quota, quota.others, running, starting, room)


def _of_quotas_with_head(running: Mapping[str, int], room: Room) -> Iterator[Problem]:
    for quota in room.quotas:
        # What the head takes nothing of is as it was.
        if quota.others_recreating > quota.others_of_one:
            yield from _of_quota(quota, quota.others_recreating, running, {}, room)


def _of_quota(
    quota: QuotaRoom,
    others: int,
    running: Mapping[str, int],
    starting: Mapping[str, int],
    room: Room,
) -> Iterator[Problem]:
    """others: what nodes without GPUs take; starting: the nodes of the second cluster by pool."""
    kept = {pool.id: pool.min_nodes for pool in room.pools}
    asleep = others + sum(kept.get(pool, 0) * count for pool, count in quota.of_node.items())
    needed = others + sum(
        max(kept.get(pool, 0), running.get(pool, 0) + starting.get(pool, 0)) * count
        for pool, count in quota.of_node.items()
    )
    if quota.limit is None or needed <= quota.limit:
        return
    what = "a second RayCluster" if starting else "the head of a second RayCluster"
    lower = f", or {_FIRST_LOWER}" if asleep <= quota.limit else ""
    yield Problem(
        path=f"ray-llm:quotas.{quota.metric}",
        value=quota.limit,
        reason=f"is below the {needed} that this change needs, because {what} starts next to the "
        "first",
        remedy=f"Ask Google for {needed} of {quota_in_words(quota.metric)}{lower}",
        rule="quota-below-upgrade",
    )
