"""Which Compute Engine quota a stack needs, and whether the project's limits, if given, suffice.

A GPU counts against the quota of its kind, which is a family of GPUS_PER_GPU_FAMILY from H100 on,
or against PREEMPTIBLE_ for spot, and against GPUS_ALL_REGIONS; its node's boot disk against
SSD_TOTAL_GB (pd-balanced counts as SSD) or HDB_TOTAL_GB; vCPUs of a series without GPUs against
that of the series. GKE creates a pool whose quota is missing without a word: its pods then wait.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from models.catalog import (
    CPUS_ALL_REGIONS,
    GPUS_ALL_REGIONS,
    disk_quotas,
    machine_type,
    quota_metrics,
)
from models.stack import StackSettings
from planning.access import GatewayPlan
from planning.budget.cost import cpu_nodes
from planning.plan import (
    ClusterPlan,
    CpuPoolPlan,
    ModelPlan,
    PodResources,
    PoolPlan,
    RouterGroupPlan,
)
from planning.plan_costs import QuotaNeed

# The CPU pool upgrades with one node more than it has (max_surge 1); GPU pools with none.
_CPU_POOL_SURGE: Final = 1


@dataclass(frozen=True, kw_only=True)
class _Nodes:
    """Nodes of one pool at the moments that QuotaNeed names, and what one node counts for.

    awake: without the node that a sleeping model will ask for.
    two_clusters, second_head: of a pool without GPUs, while there is a second RayCluster, or only
        its head, whatever the pool's maximum.
    is_of_one_way: whether it counts nodes of a pool that other rows count, too, against a quota of
        one way to pay alone.
    replaceable: whether nodes come by another way to pay, against another quota, if there is too
        little of this one.
    """

    pool: str
    has_gpus: bool
    awake: int
    minimum: int
    upgrade: int
    stated: int
    peak: int
    per_node: Mapping[str, int]
    two_clusters: int = 0
    second_head: int = 0
    replaceable: bool = False
    is_of_one_way: bool = False


def quota_needs(
    settings: StackSettings,
    cluster: ClusterPlan,
    pools: Sequence[PoolPlan],
    models: Sequence[ModelPlan],
    head: PodResources,
    routers: RouterGroupPlan,
    gateway: GatewayPlan | None = None,
) -> tuple[QuotaNeed, ...]:
    """What the stack needs of each quota that it uses or that the stack file gives a limit for.

    A maxNodes that the stack file states is a promise to grow that far. For a pool without one, the
    models' own maxima are the peak.
    """
    stated_maxima = frozenset(
        pool.id for pool in settings.gpu_pools if "max_nodes" in pool.model_fields_set
    )
    rows = _nodes(settings, cluster, pools, stated_maxima, models, head, routers, gateway)
    used = {metric for row in rows for metric in row.per_node} | set(settings.quotas)
    metrics = [metric for metric in quota_metrics() if metric in used]

    needs = (_need(metric, rows, _limit(settings.quotas, metric)) for metric in metrics)
    return tuple(need for need in needs if need.peak or need.limit is not None)


def _limit(limits: Mapping[str, int], quota: str) -> int | None:
    """The limit that the stack file gives for a quota, or for every family of its metric."""
    return limits.get(quota, limits.get(quota.partition(".")[0]))


def _need(metric: str, rows: Sequence[_Nodes], limit: int | None) -> QuotaNeed:
    counts = [row.per_node.get(metric, 0) for row in rows]
    pairs = list(zip(rows, counts, strict=True))
    others = [(row, count) for row, count in pairs if not row.has_gpus]
    # Models that sleep need not wake together: room for the largest will do.
    waking = max((count * (row.minimum - row.awake) for row, count in pairs), default=0)
    return QuotaNeed(
        metric=metric,
        minimum=waking + sum(row.awake * count for row, count in pairs),
        upgrade=sum(row.upgrade * count for row, count in pairs),
        of_node={row.pool: count for row, count in pairs if row.has_gpus and not row.is_of_one_way},
        others=sum(row.two_clusters * count for row, count in others),
        others_of_one=sum(row.minimum * count for row, count in others),
        others_recreating=sum(row.second_head * count for row, count in others),
        stated=sum(row.stated * count for row, count in pairs),
        peak=sum(row.peak * count for row, count in pairs),
        limit=limit,
        replaceable=sum(row.peak * count for row, count in pairs if row.replaceable),
    )


def _nodes(
    settings: StackSettings,
    cluster: ClusterPlan,
    pools: Sequence[PoolPlan],
    stated_maxima: frozenset[str],
    models: Sequence[ModelPlan],
    head: PodResources,
    routers: RouterGroupPlan,
    gateway: GatewayPlan | None,
) -> list[_Nodes]:
    rows = [_gpu_pool(pool, pool.id in stated_maxima, models) for pool in pools]
    rows += _ways(settings, pools, rows)
    if cluster.existing:
        return rows
    cpu_pool = cluster.cpu_pool
    least = sum(model.routers.min for model in models)
    most = sum(model.routers.max for model in models)
    low, double, second_head, high = (
        cpu_nodes(
            cpu_pool.machine_type,
            head,
            routers,
            count,
            clusters=clusters,
            spare_heads=heads,
            gateway=gateway,
        )
        for count, clusters, heads in ((least, 1, 0), (least, 2, 0), (least, 1, 1), (most, 1, 0))
    )
    initial = cluster.initial_cpu_nodes_per_zone * len(cluster.zones)
    minimum = max(cpu_pool.min_nodes, initial, min(low, cpu_pool.max_nodes))
    upgrade = max(minimum, min(double, cpu_pool.max_nodes))
    rows.append(
        _Nodes(
            pool=cpu_pool.name,
            has_gpus=False,
            awake=minimum,
            minimum=minimum,
            upgrade=upgrade + _CPU_POOL_SURGE,
            two_clusters=max(minimum, double),
            second_head=max(minimum, second_head),
            stated=minimum,
            peak=max(minimum, min(high, cpu_pool.max_nodes)),
            per_node=_per_node(cpu_pool),
        )
    )
    return rows


def _gpu_pool(pool: PoolPlan, maximum_is_stated: bool, models: Sequence[ModelPlan]) -> _Nodes:
    used = any(model.pool == pool.id for model in models)
    awake = max(pool.min_nodes, min(pool.nodes_at_min, pool.max_nodes))
    minimum = max(awake, int(used))
    needed = max(minimum, min(pool.nodes_at_max, pool.max_nodes))
    gpus = pool.tier.gpu_count
    metrics = tuple(_by_quota(pool))
    return _Nodes(
        pool=pool.id,
        has_gpus=True,
        awake=awake,
        minimum=minimum,
        upgrade=max(minimum, min(2 * pool.nodes_at_min, pool.max_nodes)),
        stated=pool.max_nodes if maximum_is_stated else awake,
        peak=pool.max_nodes if maximum_is_stated else needed,
        per_node={
            # Nodes that may count against one of several are counted by `_ways`.
            **(dict.fromkeys(metrics, gpus) if len(metrics) == 1 else {}),
            GPUS_ALL_REGIONS: gpus,
            **_per_node(pool),
        },
    )


def _by_quota(pool: PoolPlan) -> Mapping[str, int]:
    """The quotas that count the pool's GPUs by the ways to pay, each with its most nodes.

    Spot and flex-start count against the preemptible quota; what is reserved was counted against
    the usual one when it was reserved: https://cloud.google.com/compute/resource-usage
    """
    usual, preemptible = pool.tier.quota_metric, pool.tier.spot_quota_metric
    if not pool.ways:
        return {preemptible if pool.spot else usual: pool.max_nodes}
    most: dict[str, int] = {}
    for way in pool.ways:
        metric = preemptible if way.buying.ends else usual
        most[metric] = min(pool.max_nodes, most.get(metric, 0) + way.max_nodes)
    return most


def _ways(
    settings: StackSettings, pools: Sequence[PoolPlan], rows: Sequence[_Nodes]
) -> list[_Nodes]:
    """What pools need of the quotas between which GKE chooses, the preferred one first.

    If a limit is known, no more is asked of that quota than it gives: GKE goes on to the next way
    (https://cloud.google.com/kubernetes-engine/docs/troubleshooting/compute-class).
    """
    found: list[_Nodes] = []
    for pool, row in zip(pools, rows, strict=True):
        by_quota = _by_quota(pool)
        if len(by_quota) == 1:
            continue
        gpus = pool.tier.gpu_count
        room: dict[str, int | None] = {}
        for metric in by_quota:
            limit = _limit(settings.quotas, metric)
            taken = sum(other.minimum * other.per_node.get(metric, 0) for other in (*rows, *found))
            room[metric] = None if limit is None else max(0, limit - taken) // gpus
        known = [number for number in room.values() if number is not None]
        enough = len(known) < len(room) or sum(known) >= row.peak
        awake, minimum, upgrade = (
            _in_order(count, by_quota, room) for count in (row.awake, row.minimum, row.upgrade)
        )
        found += [
            replace(
                row,
                awake=awake[metric],
                minimum=minimum[metric],
                upgrade=upgrade[metric],
                stated=max(awake[metric], min(row.stated, most)),
                peak=max(minimum[metric], min(row.peak, most)),
                per_node={metric: gpus},
                replaceable=enough,
                is_of_one_way=True,
            )
            for metric, most in by_quota.items()
        ]
    return found


def _in_order(
    nodes: int, most: Mapping[str, int], room: Mapping[str, int | None]
) -> Mapping[str, int]:
    """How many of the nodes count against each quota; what none has room for, against the first."""
    taken: dict[str, int] = {}
    for metric, limit in most.items():
        free = room[metric]
        taken[metric] = min(nodes, limit if free is None else min(limit, free))
        nodes -= taken[metric]
    taken[next(iter(most))] += nodes
    return taken


def _per_node(pool: PoolPlan | CpuPoolPlan) -> Mapping[str, int]:
    """What a node counts for apart from its GPUs."""
    counts: dict[str, int] = {}
    disk_quota = disk_quotas()[pool.boot_disk_type]
    if disk_quota is not None:
        counts[disk_quota] = pool.boot_disk_gb
    machine = machine_type(pool.machine_type)
    if machine is not None:
        counts[CPUS_ALL_REGIONS] = machine.vcpus
        if machine.vcpu_quota is not None:
            counts[machine.vcpu_quota] = machine.vcpus
    return counts
