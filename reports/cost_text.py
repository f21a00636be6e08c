"""What a stack should have cost in a period, and what ran, for people and for programs."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from textwrap import wrap
from typing import Any, Final

from planning import Levels, Plan
from reports.durations import age
from reports.formatting import span
from reports.measured_cost import MeasuredCost, ModelShare, PoolShare
from reports.table import WIDTH, Row, Table, text_table

_NOT_KNOWN: Final = "?"
_COLUMNS: Final = (
    "pool, model",
    "node h planned",
    "node h",
    "GPU h",
    "idle",
    "USD planned",
    "typical",
    "USD",
)


def cost_text(plan: Plan, found: MeasuredCost) -> str:
    """A heading, the table, and what could not be seen."""
    period = found.usage.period
    heading = (
        f"{plan.stack}: {period.start:%Y-%m-%d %H:%M} to {period.end:%Y-%m-%d %H:%M} UTC "
        f"({age(3600 * period.hours)}), by {found.usage.source}"
    )
    table = Table(_COLUMNS, frozenset(_COLUMNS[1:]), tuple(_rows(found)))
    lines = [*wrap(heading, WIDTH, break_on_hyphens=False), "", text_table(table), ""]
    for sentence in (*_sentences(plan, found), *(f"unseen: {gap}" for gap in found.usage.gaps)):
        lines += wrap(sentence, WIDTH, break_on_hyphens=False, break_long_words=False)
    return "\n".join(lines)


def _rows(found: MeasuredCost) -> Iterator[Row]:
    for pool in found.pools:
        gpu_hours = None if pool.node_hours is None else pool.node_hours * pool.gpus
        planned, typical = _usd(pool.planned_usd)
        yield Row(
            (
                pool.pool if pool.gpus else f"{pool.pool} (CPU)",
                _range(pool.planned_node_hours),
                _number(pool.node_hours),
                _number(gpu_hours) if pool.gpus else "",
                _number(pool.idle_gpu_hours) if pool.gpus else "",
                planned,
                typical,
                _number(pool.usd),
            )
        )
        for model in pool.models:
            planned, typical = _usd(model.planned_usd)
            cells = (
                model.model,
                "",
                "",
                _number(model.gpu_hours),
                "",
                planned,
                typical,
                _number(model.usd),
            )
            yield Row(cells, detail=True)
    planned, typical = _usd(found.planned_usd)
    yield Row(("total", "", "", "", _idle(found), planned, typical, _number(found.usd)), total=True)


def _idle(found: MeasuredCost) -> str:
    idle = [pool.idle_gpu_hours for pool in found.pools if pool.gpus]
    known = [hours for hours in idle if hours is not None]
    return _number(sum(known, Decimal(0)) if len(known) == len(idle) else None)


def _sentences(plan: Plan, found: MeasuredCost) -> Iterator[str]:
    for pool in found.pools:
        if pool.is_above_plan and pool.node_hours is not None:
            yield (
                f"{pool.pool}: its nodes ran {pool.node_hours:,.0f} hours, more than the "
                f"{pool.planned_node_hours.maximum:,.0f} of the plan with all models at their "
                "maximum. Look for nodes that others keep, for a second Ray cluster, or for a pool "
                f"whose maximum was changed: `ray-llm doctor --stack {plan.stack}`."
            )
    without = [pool.pool for pool in found.pools if pool.usd is None]
    if without and found.usd is not None:
        yield (
            f"The USD that ran leave out {', '.join(without)}, of which the hours or the price are "
            "not known."
        )
    expected = [
        pool.id for pool in plan.pools if pool.ways and pool.id not in found.usage.hours_of_ways
    ]
    if expected:
        yield (
            f"{', '.join(expected)}: by which way its nodes came is not known, so that their USD "
            "are at the expected price of a node."
        )
    known, both = "", ""
    if not found.usage.is_whole:
        known, both = " at least, as far as it is known", ", as far as both are known"
    prices = "the stack file and list prices" if plan.cost.overridden else "list prices"
    yield (
        f"Hours are those of nodes and GPUs that ran{known}; idle: GPU hours paid for that no "
        f"replica had{both}. USD at {prices} of {plan.cost.price_date}, without disks, traffic, "
        "load balancer and GKE's fee."
    )


def _usd(levels: Levels | None) -> tuple[str, str]:
    if levels is None:
        return _NOT_KNOWN, _NOT_KNOWN
    return _range(levels), _number(levels.typical)


def _range(levels: Levels) -> str:
    return span(float(levels.minimum), float(levels.maximum))


def _number(number: Decimal | None) -> str:
    if number is None:
        return _NOT_KNOWN
    return f"{number:,.1f}" if 0 < number < 10 else f"{number:,.0f}"


def cost_data(plan: Plan, found: MeasuredCost) -> dict[str, Any]:
    """The same for programs; null is what is not known."""
    usage = found.usage
    return {
        "stack": plan.stack,
        "from": usage.period.start.isoformat(timespec="seconds"),
        "to": usage.period.end.isoformat(timespec="seconds"),
        "source": usage.source,
        "whole": usage.is_whole,
        "abovePlan": found.is_above_plan,
        "pools": [_pool(pool) for pool in found.pools],
        "plannedUsd": _levels(found.planned_usd),
        "usd": _hundredths(found.usd),
        "unseen": list(usage.gaps),
    }


def _pool(pool: PoolShare) -> dict[str, Any]:
    return {
        "pool": pool.pool,
        "gpusPerNode": pool.gpus,
        "plannedNodeHours": _levels(pool.planned_node_hours),
        "nodeHours": _hundredths(pool.node_hours),
        "idleGpuHours": _hundredths(pool.idle_gpu_hours),
        "plannedUsd": _levels(pool.planned_usd),
        "usd": _hundredths(pool.usd),
        "models": [_model(model) for model in pool.models],
    }


def _model(model: ModelShare) -> dict[str, Any]:
    return {
        "model": model.model,
        "plannedUsd": _levels(model.planned_usd),
        "gpuHours": _hundredths(model.gpu_hours),
        "usd": _hundredths(model.usd),
    }


def _levels(levels: Levels | None) -> dict[str, float | None] | None:
    if levels is None:
        return None
    return {
        "minimum": _hundredths(levels.minimum),
        "typical": _hundredths(levels.typical),
        "maximum": _hundredths(levels.maximum),
    }


def _hundredths(number: Decimal | None) -> float | None:
    return None if number is None else float(number.quantize(Decimal("0.01"), ROUND_HALF_UP))
