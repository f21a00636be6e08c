"""How the ways to pay for a pool's nodes are shown: a table, two totals and a note."""

from collections.abc import Iterable
from typing import Final

from planning import EXPECTED_SHARE
from reports.formatting import UNKNOWN, usd_columns, usd_per_hour, zone_letters
from reports.plan_data import CostSummary, PlanSummary
from reports.table import Row, Table
from reports.way_data import WaySummary

_NOTE: Final = (
    "Capacity: nodes in the order of the ways. Typical is an assumption: of the nodes that are "
    f"asked of spot or flexStart, {EXPECTED_SHARE * 100:.0f} % come, the rest by the next way; "
    "reserved nodes are paid for, used or not. Cheapest and dearest are the ends of what it may "
    "cost."
)
_BOUND: Final = (
    "At most: the price of flexStart is not in the list, and is never above that on demand."
)


def ways_tables(plan: PlanSummary) -> tuple[Table, ...]:
    """The ways of each pool that has any, in their order; none without one."""
    columns = ("paid as", "node pool", "zones", "max", "typical", "USD/h")
    rows = [
        Row(
            (
                f"{pool['id']}: {way['way']}" if number == 0 else f"  then {way['way']}",
                way["nodePool"],
                zone_letters(way["zones"]),
                str(way["maxNodes"]),
                f"{way['nodesExpected']:.1f}",
                _price(way),
            )
        )
        for pool in plan["gpuPools"]
        for number, way in enumerate(pool.get("ways", ()))
    ]
    if not rows:
        return ()
    right = frozenset(columns) - {"paid as", "node pool", "zones"}
    return (Table(columns=columns, right=right, rows=tuple(rows)),)


def _price(way: WaySummary) -> str:
    price = usd_per_hour(way["usdPerHour"])
    return f"≤ {price}" if way["priceIsABound"] and price != UNKNOWN else price


def range_rows(cost: CostSummary) -> Iterable[Row]:
    """The totals at both ends of what the ways cost."""
    if "totalCheapest" in cost and "totalDearest" in cost:
        yield Row(("total, cheapest ways", "", "", *usd_columns(cost["totalCheapest"])))
        yield Row(("total, dearest ways", "", "", *usd_columns(cost["totalDearest"])))


def way_sentences(plan: PlanSummary) -> tuple[str, ...]:
    """What to know of the ways, and how often replicas on nodes that end start anew."""
    ways = [(pool, way) for pool in plan["gpuPools"] for way in pool.get("ways", ())]
    if not ways:
        return ()
    bound = (_BOUND,) if any(way["priceIsABound"] for _, way in ways) else ()
    ends = (
        f"A replica on {pool['id']} by {way['way']} starts anew "
        f"{way['restartsAMonth']:.1f} times a month, because its node ends"
        f"{_starts(way['startSeconds'])}."
        for pool, way in ways
        if way["restartsAMonth"] is not None
    )
    return (_NOTE, *bound, *ends)


def _starts(seconds: dict[str, list[int | None]]) -> str:
    said = [
        f"{model} takes {_minutes(least)} minutes or more"
        if most is None
        else f"{model} takes {_minutes(least)} to {_minutes(most)} minutes"
        for model, (least, most) in seconds.items()
    ]
    return f" (once Google has a machine: {'; '.join(said)})" if said else ""


def _minutes(seconds: int | None) -> str:
    return f"{max(1, round((seconds or 0) / 60))}"
