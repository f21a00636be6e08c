"""Cost and quota as tables: by pool and model a month, and each quota against its limit."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Final

from rich import box
from rich.table import Table

from planning import Levels, Plan, StackCost

QUOTA_NOTE: Final = (
    "Quota: upgrade is twice the minimum, because a change of image or Ray version starts a second "
    "RayCluster beside the first; peak is every pool at its maximum."
)


def plain_table(columns: Sequence[str], right: Collection[str]) -> Table:
    """An empty table in the style of all of ours."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def cost_table(plan: Plan) -> Table:
    """USD a month of each pool, the shares of its models below it, and the total."""
    columns = ("USD a month", "GPUs paid", "not used", "minimum", "typical", "maximum")
    table = plain_table(columns, right=columns[1:])
    cost = plan.cost
    shares = cost.models
    for pool in cost.pools.values():
        table.add_row(
            pool.pool + (" (spot)" if pool.spot else ""),
            _range(pool.gpus_paid),
            _range(pool.gpus_idle),
            *_money(pool.monthly),
        )
        for model in plan.models:
            if model.pool == pool.pool:
                table.add_row(f"  {model.name}", "", "", *_money(shares[model.name].monthly))
    if cost.cpu_pool is not None:
        table.add_row(f"{cost.cpu_pool.pool} (CPU)", "", "", *_money(cost.cpu_pool.monthly))
    if cost.cluster_fee is not None:
        table.add_row("GKE's fee for the cluster", "", "", *_money(cost.cluster_fee))
    paid = Levels.total(pool.gpus_paid for pool in cost.pools.values())
    known = " (known prices)" if cost.unpriced else ""
    table.add_row(
        f"total{known}", _range(paid), _range(cost.gpus_idle), *_money(cost.total), style="bold"
    )
    for spot, words in ((False, "on demand"), (True, "on spot")):
        otherwise = cost.total_if(spot)
        if otherwise is not None and any(pool.spot is not spot for pool in cost.pools.values()):
            table.add_row(f"total, all {words}", "", "", *_money(otherwise))
    return table


def quota_table(plan: Plan) -> Table:
    """What the stack needs of each quota, and the limit that the stack file gives."""
    columns = ("quota", "minimum", "upgrade", "peak", "limit")
    table = plain_table(columns, right=columns[1:])
    for need in plan.quota:
        table.add_row(
            need.metric,
            f"{need.minimum:,}",
            f"{need.upgrade:,}",
            f"{need.peak:,}",
            "not given" if need.limit is None else f"{need.limit:,}",
        )
    return table


def price_note(cost: StackCost) -> str:
    """Which prices these are and what typical means."""
    own = f", of the stack file for {', '.join(cost.overridden)}" if cost.overridden else ""
    return (
        f"List prices of {cost.price_date}{own}; disks and traffic excluded. Typical: replicas "
        f"{cost.load_factor * 100:.0f} % of the way from minimum to maximum."
    )


def _range(levels: Levels) -> str:
    low, high = int(levels.minimum), int(levels.maximum)
    return f"{low}" if low == high else f"{low}-{high}"


def _money(levels: Levels | None) -> tuple[str, str, str]:
    if levels is None:
        return ("unknown",) * 3
    return (_usd(levels.minimum), _usd(levels.typical), _usd(levels.maximum))


def _usd(amount: Decimal) -> str:
    return f"{amount:,.0f}"
