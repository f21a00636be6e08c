"""The planned cost of a period beside what ran in it: pure arithmetic on a plan and a usage.

Prices are the plan's: list prices, or those of the stack file. What Google really bills, with its
discounts, is in the billing export, which GKE cost allocation tells apart by the plan's labels.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from diagnosis import Usage
from planning import HOURS_PER_MONTH, Levels, Plan, PoolPlan


@dataclass(frozen=True, kw_only=True)
class ModelShare:
    """A model's part of its pool. gpu_hours, usd: None if not known."""

    model: str
    planned_usd: Levels | None
    gpu_hours: Decimal | None
    usd: Decimal | None


@dataclass(frozen=True, kw_only=True)
class PoolShare:
    """One pool. What was measured is None if it is not known.

    gpus: of a node; 0 of the pool of CPUs. idle_gpu_hours: paid for, and no replica's.
    """

    pool: str
    gpus: int
    planned_node_hours: Levels
    planned_usd: Levels | None
    node_hours: Decimal | None
    usd: Decimal | None
    idle_gpu_hours: Decimal | None
    models: tuple[ModelShare, ...]

    @property
    def is_above_plan(self) -> bool:
        """Whether more ran than with all models at their maximum all the time."""
        # Samples of a minute are as exact as a percent.
        most = self.planned_node_hours.maximum * Decimal("1.01")
        return self.node_hours is not None and self.node_hours > most


@dataclass(frozen=True, kw_only=True)
class MeasuredCost:
    """A whole stack; usd: of the pools that are known, and None if none is."""

    usage: Usage
    pools: tuple[PoolShare, ...]

    @property
    def planned_usd(self) -> Levels:
        """Of all pools with a known price."""
        return Levels.total(pool.planned_usd for pool in self.pools if pool.planned_usd)

    @property
    def usd(self) -> Decimal | None:
        """What ran, at the plan's prices."""
        known = [pool.usd for pool in self.pools if pool.usd is not None]
        return sum(known, Decimal(0)) if known else None

    @property
    def is_known(self) -> bool:
        """Whether the hours of every GPU pool are known, if only as the least that there were."""
        return all(pool.node_hours is not None for pool in self.pools if pool.gpus)

    @property
    def is_above_plan(self) -> bool:
        """Whether a pool ran more than the plan's maximum."""
        return any(pool.is_above_plan for pool in self.pools)


def measured_cost(plan: Plan, usage: Usage) -> MeasuredCost:
    """The plan beside the usage."""
    return MeasuredCost(usage=usage, pools=(*_gpu_pools(plan, usage), *_cpu_pool(plan, usage)))


def _gpu_pools(plan: Plan, usage: Usage) -> Iterable[PoolShare]:
    hours = _decimal(usage.period.hours)
    for pool in plan.pools:
        cost = plan.cost.pools[pool.id]
        node_hours = _known(usage.node_hours.get(pool.id))
        usd = _usd(pool, usage, node_hours)
        price = pool.node_usd_per_hour
        if pool.ways and usd and node_hours:
            price = usd / node_hours  # by the ways in which its nodes came
        gpus = pool.tier.gpu_count
        models = tuple(
            ModelShare(
                model=model.name,
                planned_usd=_of_period(plan.cost.models[model.name].monthly, hours),
                gpu_hours=(found := _known(usage.gpu_hours.get(model.name))),
                usd=None if found is None or price is None else found * price / gpus,
            )
            for model in plan.models
            if model.pool == pool.id
        )
        used = [model.gpu_hours for model in models]
        idle = None
        if node_hours is not None and None not in used:
            idle = max(Decimal(0), node_hours * gpus - sum(filter(None, used), Decimal(0)))
        nodes = cost.nodes - cost.nodes_asleep
        yield PoolShare(
            pool=pool.id,
            gpus=gpus,
            planned_node_hours=nodes * hours,
            planned_usd=_of_period(cost.expected, hours),
            node_hours=node_hours,
            usd=usd,
            idle_gpu_hours=idle,
            models=models,
        )


def _usd(pool: PoolPlan, usage: Usage, node_hours: Decimal | None) -> Decimal | None:
    """What the nodes cost: by way if that is known, else at the expected price of a node.

    Reserved nodes are paid for all the time, whatever ran on them.
    """
    if node_hours is None:
        return None
    by_way = usage.hours_of_ways.get(pool.id)
    if by_way is None:
        price = pool.node_usd_per_hour
        return None if price is None else node_hours * price
    total = Decimal(0)
    for way in pool.ways:
        hours = _decimal(by_way.get(way.node_pool, 0.0))
        if way.reserved_nodes is not None:
            hours = max(hours, way.reserved_nodes * _decimal(usage.period.hours))
        if hours and way.usd_per_hour is None:
            return None
        total += hours * (way.usd_per_hour or Decimal(0))
    return total


def _cpu_pool(plan: Plan, usage: Usage) -> Iterable[PoolShare]:
    """The pool of CPUs; of an adopted cluster its owner pays it anyway."""
    cost = plan.cost.cpu_pool
    if cost is None:
        return
    hours = _decimal(usage.period.hours)
    node_hours = _known(usage.node_hours.get(cost.pool))
    price = cost.usd_per_hour
    yield PoolShare(
        pool=cost.pool,
        gpus=0,
        planned_node_hours=cost.nodes * hours,
        planned_usd=_of_period(cost.monthly, hours),
        node_hours=node_hours,
        usd=None if node_hours is None or price is None else node_hours * price,
        idle_gpu_hours=None,
        models=(),
    )


def _of_period(monthly: Levels | None, hours: Decimal) -> Levels | None:
    return None if monthly is None else monthly * (hours / HOURS_PER_MONTH)


def _known(hours: float | None) -> Decimal | None:
    return None if hours is None else _decimal(hours)


def _decimal(number: float) -> Decimal:
    return Decimal(str(round(number, 4)))
