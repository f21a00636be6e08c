"""What a node of a pool with several ways to pay costs: expected, and from the least to the most.

Nobody publishes how often a GPU can be had, so the expected price rests on an assumption that the
plan states: of the nodes that are asked of spot or flex-start, seven in ten come, and the rest come
by the next way. Reserved nodes come first if they are listed first, and are paid for in any case.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from planning.plan import WayPlan

EXPECTED_SHARE: Final = Decimal("0.7")
"""Of the nodes that are asked of spot or flex-start, how many come: assumed, not measured."""

_PLACES: Final = Decimal("0.0001")


def expected_nodes(ways: Sequence[WayPlan], nodes: Decimal) -> tuple[Decimal, ...]:
    """Of so many nodes, how many are expected by each way, in the order of the ways.

    The last way carries what is left, because there is no other.
    """
    found: list[Decimal] = []
    left = nodes
    for index, way in enumerate(ways):
        taken = left if way.reserved_nodes is None else min(left, Decimal(way.reserved_nodes))
        if way.buying.ends and index + 1 < len(ways):
            taken *= EXPECTED_SHARE
        found.append(taken)
        left -= taken
    found[-1] += left
    return tuple(found)


def expected_usd_per_hour(ways: Sequence[WayPlan], nodes: int) -> Decimal | None:
    """Of one node, on the average of so many; None if a price is not known."""
    by_way = expected_nodes(ways, Decimal(nodes))
    total = Decimal(0)
    for way, count in zip(ways, by_way, strict=True):
        if count and way.usd_per_hour is None:
            return None
        total += count * (way.usd_per_hour or Decimal(0))
    return (total / nodes).quantize(_PLACES) if nodes else None


def unreserved(ways: Sequence[WayPlan]) -> tuple[WayPlan, ...]:
    """The ways that are paid for by use; all if no reservation says its nodes."""
    found = tuple(way for way in ways if way.reserved_nodes is None)
    return found or tuple(ways)
