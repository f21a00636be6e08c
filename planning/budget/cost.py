"""The monthly cost of a stack: at the models' minimum, in a typical month and at their maximum.

A month is 730 hours. The typical load is `ray-llm:loadFactor` of the way from minimum to maximum.
A pool costs its whole nodes. A model's share is that of the GPUs that its replicas take; the rest
is shown as paid for and not used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from models.access import Exposure
from models.catalog import load_balancer_price, prices
from models.catalog import machine_type as catalogue_machine_type
from models.stack import StackSettings
from planning.access import AccessPlan, GatewayPlan
from planning.budget.capacity_cost import capacity_cost
from planning.budget.off_hours import Sleepers, nodes_asleep
from planning.infrastructure.allocatable import allocatable
from planning.infrastructure.node_prices import cpu_node_price, gpu_node_price
from planning.plan import ModelPlan, PodResources, PoolPlan, RouterGroupPlan
from planning.plan_costs import (
    HOURS_PER_MONTH,
    CpuPoolCost,
    Levels,
    ModelCost,
    PoolCost,
    StackCost,
)

# GKE's fee for a Standard cluster, zonal or regional; the monthly credit for one zonal cluster of
# a billing account is not deducted. https://cloud.google.com/kubernetes-engine/pricing, 2026-11
CLUSTER_USD_PER_HOUR: Final = Decimal("0.10")
_NONE: Final = Levels.total(())


def stack_cost(
    settings: StackSettings,
    pools: Sequence[PoolPlan],
    models: Sequence[ModelPlan],
    head: PodResources,
    routers: RouterGroupPlan,
    access: AccessPlan | None = None,
) -> StackCost:
    """The cost of a stack whose models are placed."""
    gateway = None if access is None else access.gateway
    wanted = _gpus_wanted(models, settings.load_factor)
    sleepers = Sleepers(settings=settings, models=tuple(models))
    pool_costs = {
        pool.id: _pool_cost(settings, pool, wanted.get(pool.id, _NONE), sleepers) for pool in pools
    }
    existing = settings.cluster.existing
    fee = Levels.between(1, 1, Decimal(0)) * (CLUSTER_USD_PER_HOUR * HOURS_PER_MONTH)
    return StackCost(
        price_date=prices().date,
        overridden=tuple(settings.prices),
        load_factor=settings.load_factor,
        monthly_budget=settings.monthly_budget,
        pools=pool_costs,
        models={
            model.name: _model_cost(settings, model, pool_costs[model.pool], wanted[model.pool])
            for model in models
        },
        cpu_pool=None if existing else _cpu_pool_cost(settings, models, head, routers, gateway),
        cluster_fee=None if existing else fee,
        load_balancer=_load_balancer_cost(access),
    )


def _load_balancer_cost(access: AccessPlan | None) -> Levels | None:
    """One forwarding rule; a gateway that is reached from inside the cluster has none."""
    if access is None or access.exposure is Exposure.NONE:
        return None
    usd_per_hour = load_balancer_price().forwarding_rule_usd_per_hour
    return Levels.between(1, 1, Decimal(0)) * (usd_per_hour * HOURS_PER_MONTH)


def _gpus_wanted(models: Sequence[ModelPlan], load_factor: Decimal) -> Mapping[str, Levels]:
    """GPUs that the replicas of each pool's models take, whatever the pool's maximum."""
    wanted: dict[str, Levels] = {}
    for model in models:
        wanted[model.pool] = wanted.get(model.pool, _NONE) + _gpus(model, load_factor)
    return wanted


def _pool_cost(
    settings: StackSettings, pool: PoolPlan, wanted: Levels, sleepers: Sleepers
) -> PoolCost:
    price = gpu_node_price(settings.prices, pool.tier, pool.machine_type, settings.region)
    if pool.reserved_nodes:  # paid for as if the pool kept them
        pool = replace(
            pool,
            min_nodes=max(pool.min_nodes, pool.reserved_nodes),
            max_nodes=max(pool.max_nodes, pool.reserved_nodes),
        )
    nodes = Levels.between(nodes_at_minimum(pool), nodes_at_maximum(pool), settings.load_factor)
    paid = nodes * Decimal(pool.tier.gpu_count)
    capacity = capacity_cost(pool, nodes) if pool.ways else None
    return PoolCost(
        pool=pool.id,
        spot=pool.spot,
        on_demand_usd_per_hour=price.on_demand,
        spot_usd_per_hour=price.spot,
        nodes=nodes,
        gpus_paid=paid,
        gpus_used=wanted.with_(paid, min),
        monthly=_monthly(nodes, price.hourly(pool.spot))
        if capacity is None
        else capacity.monthly(nodes, capacity.expected_usd_per_hour),
        monthly_otherwise=_monthly(nodes, price.hourly(not pool.spot)),
        nodes_asleep=nodes_asleep(sleepers, pool, nodes, settings.load_factor),
        capacity=capacity,
    )


def nodes_at_minimum(pool: PoolPlan) -> int:
    """Nodes of a pool that are always there."""
    return max(pool.min_nodes, min(pool.nodes_at_min, pool.max_nodes))


def nodes_at_maximum(pool: PoolPlan) -> int:
    """Nodes of a pool with its models at their maximum, as far as GKE lets them start."""
    most = max(pool.max_nodes, pool.most_nodes)
    return max(pool.min_nodes, min(pool.nodes_at_max, most))


def _gpus(model: ModelPlan, load_factor: Decimal) -> Levels:
    replicas = Levels.between(model.replicas.min, model.replicas.max, load_factor)
    return replicas * Decimal(model.gpus_per_replica)


def _model_cost(
    settings: StackSettings, model: ModelPlan, pool: PoolCost, wanted: Levels
) -> ModelCost:
    """The share by GPUs; if the pool's maximum limits its models, each is reduced equally."""
    price = pool.usd_per_hour
    if price is None or pool.monthly is None:
        return ModelCost(model=model.name, monthly=None)
    running = _gpus(model, settings.load_factor).with_(
        pool.gpus_used.with_(wanted, lambda used, all_: used / all_ if all_ else Decimal(1)),
        lambda gpus, part: gpus * part,
    )
    if pool.capacity is not None and pool.nodes.maximum:
        # With what is reserved, at the pool's average.
        price = pool.monthly.maximum / (HOURS_PER_MONTH * pool.nodes.maximum)
    usd_per_gpu = price * HOURS_PER_MONTH * pool.nodes.maximum / pool.gpus_paid.maximum
    return ModelCost(model=model.name, monthly=running * usd_per_gpu)


def _monthly(nodes: Levels, usd_per_hour: Decimal | None) -> Levels | None:
    return None if usd_per_hour is None else nodes * (usd_per_hour * HOURS_PER_MONTH)


def _cpu_pool_cost(
    settings: StackSettings,
    models: Sequence[ModelPlan],
    head: PodResources,
    routers: RouterGroupPlan,
    gateway: GatewayPlan | None,
) -> CpuPoolCost:
    pool = settings.cluster.cpu_pool
    price = cpu_node_price(settings.prices, pool.machine_type, settings.region).on_demand
    low, high = (
        max(
            pool.min_nodes,
            min(
                pool.max_nodes,
                cpu_nodes(pool.machine_type, head, routers, count, gateway=gateway),
            ),
        )
        for count in (
            sum(model.routers.min for model in models),
            sum(model.routers.max for model in models),
        )
    )
    nodes = Levels.between(low, high, settings.load_factor)
    return CpuPoolCost(
        pool=pool.name, usd_per_hour=price, nodes=nodes, monthly=_monthly(nodes, price)
    )


def cpu_nodes(
    machine_type: str,
    head: PodResources,
    routers: RouterGroupPlan,
    router_count: int,
    *,
    clusters: int = 1,
    spare_heads: int = 0,
    gateway: GatewayPlan | None = None,
) -> int:
    """Nodes of a CPU machine type that hold the Ray head and the pods of that many routers.

    clusters: how many such Ray clusters there are at the same time.
    spare_heads: further heads, of clusters without routers.
    gateway: whose pods are there once, however many clusters there are; None without one.
    """
    machine = catalogue_machine_type(machine_type)
    if machine is None:
        return 1
    room = allocatable(machine)
    empty = _Nodes(count=0, cpu=room.cpu_for_pods, memory_gib=room.memory_gib_for_pods)
    router_pods = clusters * -(-router_count // routers.slots_per_pod)
    # The largest first, as many on a node as fit.
    nodes = _with_pods([], empty, head.cpu, head.memory_gib, clusters + spare_heads)
    nodes = _with_pods(nodes, empty, routers.pod.cpu, routers.pod.memory_gib, router_pods)
    if gateway is not None:
        cpu, memory_gib = gateway.cpu_millis / 1000, gateway.memory_mib / 1024
        nodes = _with_pods(nodes, empty, cpu, memory_gib, gateway.replicas)
    return sum(group.count for group in nodes)


@dataclass(frozen=True, kw_only=True)
class _Nodes:
    """Nodes of which each has this much left for pods."""

    count: int
    cpu: float
    memory_gib: float


def _with_pods(
    nodes: Sequence[_Nodes], empty: _Nodes, cpu: float, memory_gib: float, pods: int
) -> list[_Nodes]:
    """The nodes with so many more pods of one size, on further nodes if they do not fit."""

    def fitting(group: _Nodes) -> int:
        return max(0, int(min(group.cpu / cpu, group.memory_gib / memory_gib)))

    placed: list[_Nodes] = []

    def take(group: _Nodes, count: int, pods_on_each: int) -> None:
        if count:
            left = {
                "cpu": group.cpu - pods_on_each * cpu,
                "memory_gib": group.memory_gib - pods_on_each * memory_gib,
            }
            placed.append(_Nodes(count=count, **left))

    for group in nodes:
        room = fitting(group)
        full, rest = divmod(min(pods, group.count * room), max(1, room))
        take(group, full, room)
        take(group, int(rest > 0), rest)
        take(group, group.count - full - int(rest > 0), 0)
        pods -= full * room + rest
    # A machine on which not even one fits is a problem of its own.
    room = max(1, fitting(empty))
    full, rest = divmod(pods, room)
    take(empty, full, room)
    take(empty, int(rest > 0), rest)
    return placed
