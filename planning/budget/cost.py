"""The monthly cost of a stack: at the models' minimum, in a typical month and at their maximum.

A month is 730 hours. The typical load is `ray-llm:loadFactor` of the way from minimum to maximum.
A pool costs its whole nodes. A model's share is that of the GPUs that its replicas take; the rest
is shown as paid for and not used.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from models.catalog import machine_type as catalogue_machine_type
from models.catalog import prices
from models.stack import StackSettings
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
) -> StackCost:
    """The cost of a stack whose models are placed."""
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
        cpu_pool=None if existing else _cpu_pool_cost(settings, models, head, routers),
        cluster_fee=None if existing else fee,
    )


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
    nodes = Levels.between(nodes_at_minimum(pool), nodes_at_maximum(pool), settings.load_factor)
    paid = nodes * Decimal(pool.tier.gpu_count)
    return PoolCost(
        pool=pool.id,
        spot=pool.spot,
        on_demand_usd_per_hour=price.on_demand,
        spot_usd_per_hour=price.spot,
        nodes=nodes,
        gpus_paid=paid,
        gpus_used=wanted.with_(paid, min),
        monthly=_monthly(nodes, price.hourly(pool.spot)),
        monthly_otherwise=_monthly(nodes, price.hourly(not pool.spot)),
        nodes_asleep=nodes_asleep(sleepers, pool, nodes, settings.load_factor),
    )


def nodes_at_minimum(pool: PoolPlan) -> int:
    """Nodes of a pool that are always there."""
    return max(pool.min_nodes, min(pool.nodes_at_min, pool.max_nodes))


def nodes_at_maximum(pool: PoolPlan) -> int:
    """Nodes of a pool with its models at their maximum, as far as the pool's maximum lets them."""
    return max(pool.min_nodes, min(pool.nodes_at_max, pool.max_nodes))


def _gpus(model: ModelPlan, load_factor: Decimal) -> Levels:
    replicas = Levels.between(model.replicas.min, model.replicas.max, load_factor)
    return replicas * Decimal(model.gpus_per_replica)


def _model_cost(
    settings: StackSettings, model: ModelPlan, pool: PoolCost, wanted: Levels
) -> ModelCost:
    """The share by GPUs; if the pool's maximum limits its models, each is reduced equally."""
    price = pool.spot_usd_per_hour if pool.spot else pool.on_demand_usd_per_hour
    if price is None:
        return ModelCost(model=model.name, monthly=None)
    running = _gpus(model, settings.load_factor).with_(
        pool.gpus_used.with_(wanted, lambda used, all_: used / all_ if all_ else Decimal(1)),
        lambda gpus, part: gpus * part,
    )
    usd_per_gpu = price * HOURS_PER_MONTH * pool.nodes.maximum / pool.gpus_paid.maximum
    return ModelCost(model=model.name, monthly=running * usd_per_gpu)


def _monthly(nodes: Levels, usd_per_hour: Decimal | None) -> Levels | None:
    return None if usd_per_hour is None else nodes * (usd_per_hour * HOURS_PER_MONTH)


def _cpu_pool_cost(
    settings: StackSettings,
    models: Sequence[ModelPlan],
    head: PodResources,
    routers: RouterGroupPlan,
) -> CpuPoolCost:
    pool = settings.cluster.cpu_pool
    price = cpu_node_price(settings.prices, pool.machine_type, settings.region).on_demand
    low, high = (
        max(
            pool.min_nodes,
            min(pool.max_nodes, cpu_nodes(pool.machine_type, head, routers, count)),
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
) -> int:
    """Nodes of a CPU machine type that hold the Ray head and the pods of that many routers.

    clusters: how many such Ray clusters there are at the same time.
    spare_heads: further heads, of clusters without routers.
    """
    machine = catalogue_machine_type(machine_type)
    if machine is None:
        return 1
    room = allocatable(machine)

    def router_pods(cpu: float, memory_gib: float) -> int:
        """Router pods for which this much is left on a node."""
        return max(0, int(min(cpu / routers.pod.cpu, memory_gib / routers.pod.memory_gib)))

    cpu, memory_gib = room.cpu_for_pods, room.memory_gib_for_pods
    heads = max(1, int(min(cpu / head.cpu, memory_gib / head.memory_gib)))
    # Heads first, as many on a node as fit.
    full, rest = divmod(clusters + spare_heads, heads)
    beside_heads = sum(
        nodes * router_pods(cpu - count * head.cpu, memory_gib - count * head.memory_gib)
        for nodes, count in ((full, heads), (int(rest > 0), rest))
    )
    alone = router_pods(cpu, memory_gib)
    left = max(0, clusters * -(-router_count // routers.slots_per_pod) - beside_heads)
    return full + int(rest > 0) + -(-left // max(1, alone))
