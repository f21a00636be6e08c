"""The ways to pay for a pool's nodes as plain data, a part of the plan as data."""

from decimal import ROUND_HALF_UP, Decimal

# Before Python 3.12, pydantic checks no other kind of TypedDict (reports/plan_reading.py).
from typing_extensions import TypedDict

from planning import HOURS_PER_MONTH, CapacityCost, Plan, PoolPlan, WayCost, WayPlan, cold_start


class WaySummary(TypedDict):
    """One way to pay for a pool's nodes.

    way: in words; nodesExpected: of the nodes of a typical month, those that come by it.
    usdPerHour: of a node, null if not known; priceIsABound: whether it is at most that.
    restartsAMonth: how often a replica on such a node starts anew, because the node ends; null if
        no time ends it.
    startSeconds: how long such a start takes, by model, from the least to the most; a most that is
        null is not known.
    """

    way: str
    nodePool: str
    zones: list[str]
    minNodes: int
    maxNodes: int
    nodesExpected: float
    usdPerHour: float | None
    priceIsABound: bool
    restartsAMonth: float | None
    startSeconds: dict[str, list[int | None]]


def way_in_words(way: WayPlan) -> str:
    """A way to pay in a few words, as the stack file says it."""
    if way.reservation is not None:
        return f"reservation {way.reservation}"
    if way.run_seconds is not None:
        return f"flexStart {length(way.run_seconds)}"
    return way.buying.value


def length(seconds: float) -> str:
    """A length as a stack file writes it, in the largest unit that divides it: 7d, 12h, 90m."""
    for unit, size in (("d", 86_400), ("h", 3600)):
        if seconds % size == 0:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds / 60:.0f}m"


def way_summaries(plan: Plan, pool: PoolPlan, costs: CapacityCost) -> list[WaySummary]:
    """The ways of a pool in their order."""
    return [_way(plan, pool, way, cost) for way, cost in zip(pool.ways, costs.ways, strict=True)]


def _way(plan: Plan, pool: PoolPlan, way: WayPlan, cost: WayCost) -> WaySummary:
    models = [model for model in plan.models if model.pool == pool.id and way.run_seconds]
    starts = {model.name: cold_start(model, pool).anew for model in models}
    return WaySummary(
        way=way_in_words(way),
        nodePool=way.node_pool,
        zones=list(way.zones),
        minNodes=way.min_nodes,
        maxNodes=way.max_nodes,
        nodesExpected=float(cost.nodes.typical.quantize(Decimal("0.01"), ROUND_HALF_UP)),
        usdPerHour=None if cost.usd_per_hour is None else float(cost.usd_per_hour),
        priceIsABound=cost.price_is_a_bound,
        restartsAMonth=round(HOURS_PER_MONTH * 3600 / way.run_seconds, 1)
        if way.run_seconds
        else None,
        startSeconds={name: [start.least, start.most] for name, start in starts.items()},
    )
