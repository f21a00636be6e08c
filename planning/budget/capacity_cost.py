"""The cost of a pool with ways to pay: which are expected, and the ends of what it may cost."""

from decimal import Decimal

from planning.infrastructure.capacity_price import (
    expected_nodes,
    expected_usd_per_hour,
    unreserved,
)
from planning.plan import PoolPlan
from planning.plan_costs import CapacityCost, Levels, WayCost


def capacity_cost(pool: PoolPlan, nodes: Levels) -> CapacityCost:
    """The prices of a pool's ways. nodes: of the pool, those that are reserved among them."""
    by_way = list(
        zip(
            expected_nodes(pool.ways, nodes.minimum),
            expected_nodes(pool.ways, nodes.typical),
            expected_nodes(pool.ways, nodes.maximum),
            strict=True,
        )
    )
    reserved = [way for way in pool.ways if way.reserved_nodes is not None]
    counts = [Decimal(way.reserved_nodes or 0) for way in reserved]
    by_use = unreserved(pool.ways)
    prices = [way.usd_per_hour for way in by_use]
    known = [usd for usd in prices if usd is not None]
    complete = len(known) == len(prices)
    paid = sum(counts, Decimal(0))
    of_reserved = [
        count * way.usd_per_hour
        for way, count in zip(reserved, counts, strict=True)
        if way.usd_per_hour is not None
    ]
    return CapacityCost(
        ways=tuple(
            WayCost(
                node_pool=way.node_pool,
                nodes=Levels(minimum=low, typical=typical, maximum=high),
                usd_per_hour=way.usd_per_hour,
                price_is_a_bound=way.price_is_a_bound,
            )
            for way, (low, typical, high) in zip(pool.ways, by_way, strict=True)
        ),
        reserved=paid,
        reserved_usd_per_hour=sum(of_reserved, Decimal(0)) / paid
        if paid and len(of_reserved) == len(reserved)
        else None,
        expected_usd_per_hour=expected_usd_per_hour(by_use, 1),
        cheapest_usd_per_hour=min(known) if complete else None,
        dearest_usd_per_hour=max(known) if complete else None,
    )
