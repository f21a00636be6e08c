"""What a plan says of measured speed besides the table, in sentences."""

from collections.abc import Iterator
from typing import Final

from models.tasks import Task
from reports.plan_data import ModelSummary, PlanSummary, SpeedSummary

_TABLE: Final = (
    "Measured speed: output tokens of all replicas together; first and next token as the median "
    "and the 95th percentile; USD a million output tokens if the replicas are as busy all the time."
)
_NAMED: Final = 4


def speed_sentences(plan: PlanSummary, *, with_table: bool = True) -> tuple[str, ...]:
    """When models were measured and how, what is out of date, and replicas at a stated load.

    with_table: whether the table of speeds is shown too, so that it has to be explained.
    """
    measured = [(model, speed) for model in plan["models"] if (speed := model.get("speed"))]
    table = [_TABLE] if with_table and any(speed["levels"] for _, speed in measured) else []
    return (
        *table,
        *(text for model, speed in measured for text in _of(plan, model, speed)),
        *(_unmeasured(plan, name, load) for name, load in plan.get("unmeasuredLoads", {}).items()),
    )


def _unmeasured(plan: PlanSummary, name: str, load: float) -> str:
    model = next(model for model in plan["models"] if model["name"] == name)
    if model["task"] != Task.GENERATE:
        return f"{name}: nothing reads its load, because it writes no tokens. Leave load out."
    return (
        f"{name}: how many replicas {load:,.0f} output tokens a second take is not known before "
        f"`ray-llm measure {name} --stack {plan['stack']}`, once it runs."
    )


def _of(plan: PlanSummary, model: ModelSummary, speed: SpeedSummary) -> Iterator[str]:
    name = model["name"]
    if speed["changed"]:
        named = ", ".join(speed["changed"][:_NAMED])
        more = len(speed["changed"]) - _NAMED
        yield (
            f"{name}: the measurement of {speed['measured']} is out of date and not used, because "
            f"of {named}{f' and {more} more' if more > 0 else ''}. Measure it again: `ray-llm "
            f"measure {name} --stack {plan['stack']}`."
        )
        return
    replicas = _count(speed["replicas"])
    yield (
        f"{name}: measured on {speed['measured']} with {replicas}, prompts of "
        f"{speed['promptTokens']:.0f} and answers of {speed['outputTokens']:.0f} tokens."
    )
    needed = speed["replicasAtLoad"]
    if needed is not None and speed["load"] is not None:
        most = model["replicas"]["max"]
        enough = "" if needed <= most else f", more than its maximum of {most}"
        yield (
            f"{name}: {speed['load']:,.0f} output tokens a second take {_count(needed)}{enough}."
        )


def _count(replicas: int) -> str:
    return f"{replicas} replica{'' if replicas == 1 else 's'}"
