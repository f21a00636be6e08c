"""The difference of two plans as Markdown: what is added, removed and changed, and its effects."""

from collections.abc import Iterable
from typing import Any, Final, Literal

from models.problems import stops
from reports.change_effects import ChangeEffects
from reports.difference import Change, Changed, Difference
from reports.formatting import count, signed, span, usd
from reports.plan_data import ModelSummary, PlanSummary, PoolSummary
from reports.rollout import Rollout
from reports.table import Row, Table, code, escape, markdown_table
from rollouts import Sentence

Level = Literal["minimum", "typical", "maximum"]
LEVELS: Final[tuple[Level, ...]] = ("minimum", "typical", "maximum")

_DISRUPTIVE: Final = frozenset(
    {
        Rollout.POOL_REPLACED_AND_SECOND_CLUSTER,
        Rollout.POOL_REPLACED,
        Rollout.SERVICE_REPLACED,
        Rollout.CLUSTER_REPLACED,
    }
)


def difference_markdown(
    difference: Difference, effects: ChangeEffects | None = None, *, with_effects: bool = True
) -> str:
    """Changes, figures and effects, under a heading with the stack's name.

    effects: what the change does; without them the table of reports/rollout.py says it roughly.
    with_effects: False if somebody else says what the change does.
    """
    heading = f"### Changes of stack {escape(difference.new['stack'])}"
    if difference.old is None:
        intro = "The stack is new: the whole plan is added."
        return "\n\n".join([heading, intro, markdown_table(_figures(difference))]) + "\n"
    if difference.is_empty and (effects is None or effects.is_nothing):
        return f"{heading}\n\nThe plan does not change.\n"
    settings = effects.settings if effects else ()
    # The effects say it themselves.
    access = () if effects and with_effects else difference.access
    parts = [
        heading,
        markdown_table(_figures(difference)),
        _list("Models", _models(difference)),
        _list("GPU pools", _pools(difference)),
        _list("Who may ask, and from where", map(escape, access)),
        _list("Cluster, versions and settings", _others([*difference.others, *settings])),
    ]
    if with_effects:
        lines = _effects(effects) if effects else _rollouts(difference)
        parts.append(_list("Effect on what is running", lines))
        if effects is None:
            parts.append(_ROUGHLY)
    return "\n\n".join(part for part in parts if part) + "\n"


_ROUGHLY: Final = (
    "The effect is known only by kind, because one of the plans is data without its stack file. "
    "`pulumi preview`, or two stack files, say it model by model."
)


def _figures(difference: Difference) -> Table:
    rows = [
        (f"USD a month, {level}", *_money(difference.old_cost[level], new))
        for level, new in ((level, difference.new["cost"]["total"][level]) for level in LEVELS)
    ]
    ends: tuple[Level, Level] = ("minimum", "maximum")
    for level in ends:
        old = _gpus(difference.old, level)
        rows.append((f"GPUs paid, {level}", *_count(old, _gpus(difference.new, level))))
    for need in difference.quota:
        rows.append((f"quota {need.metric}, peak", *_count(need.old_peak, need.new_peak)))
        if need.old_upgrade != need.new_upgrade:
            upgrade = _count(need.old_upgrade, need.new_upgrade)
            rows.append((f"quota {need.metric}, upgrade", *upgrade))
    return Table(
        columns=("", "before", "after", "difference"),
        right=frozenset({"before", "after", "difference"}),
        rows=tuple(map(Row, rows)),
    )


def _gpus(summary: PlanSummary | None, level: Level) -> int:
    pools = summary["gpuPools"] if summary else []
    return round(sum(pool["gpusPaid"][level] for pool in pools))


def _money(old: float, new: float) -> tuple[str, str, str]:
    share = f" ({(new - old) / old:+.0%})" if old and round(new) != round(old) else ""
    return usd(old), usd(new), f"{signed(round(new) - round(old))}{share}"


def _count(old: int | None, new: int | None) -> tuple[str, str, str]:
    return count(old), count(new), signed((new or 0) - (old or 0))


def _list(heading: str, lines: Iterable[str]) -> str:
    listed = "\n".join(f"- {line}" for line in lines)
    return f"**{heading}**\n\n{listed}" if listed else ""


def _models(difference: Difference) -> Iterable[str]:
    for model in difference.models_added:
        yield f"added: {_model(model)}"
    for model in difference.models_removed:
        yield f"removed: {_model(model)}"
    yield from map(_changed, difference.models_changed)


def _pools(difference: Difference) -> Iterable[str]:
    for pool in difference.pools_added:
        yield f"added: {_pool(pool)}"
    for pool in difference.pools_removed:
        yield f"removed: {_pool(pool)}"
    yield from map(_changed, difference.pools_changed)


def _model(model: ModelSummary) -> str:
    replicas = span(model["replicas"]["min"], model["replicas"]["max"])
    return (
        f"{code(model['name'])} on {code(model['gpu'])}, {escape(replicas)} replicas, "
        f"{model['contextLength']:,} tokens of context"
    )


def _pool(pool: PoolSummary) -> str:
    spot = ", spot" if pool["spot"] else ""
    if "capacity" in pool:
        spot = f", paid as {escape(', then '.join(pool['capacity']))}"
    return (
        f"{code(pool['id'])}: {pool['minNodes']}-{pool['maxNodes']} nodes "
        f"{escape(pool['machineType'])}, {pool['gpusPerNode']} x "
        f"{escape(pool['accelerator'])}{spot}"
    )


def _changed(changed: Changed) -> str:
    what = "; ".join(
        f"{escape(change.key)} {shown(change.old)} → {shown(change.new)}"
        for change in changed.changes
    )
    return f"changed: {code(changed.name)}: {what}"


def _others(changes: Iterable[Change]) -> Iterable[str]:
    for change in changes:
        yield f"{escape(change.key)} {shown(change.old)} → {shown(change.new)}"


def _effects(effects: ChangeEffects) -> Iterable[str]:
    for problem in stops(effects.problems):
        yield f"⛔ {escape(problem.sentence())}"
    allowed = (problem for problem in effects.problems if not stops([problem]))
    passes = (Sentence(problem.sentence(), warns=True) for problem in allowed)
    for sentence in (*effects.sentences, *passes):
        yield f"{'⚠️ ' if sentence.warns else ''}{escape(sentence.text)}"


def _rollouts(difference: Difference) -> Iterable[str]:
    for rollout, causes in difference.rollouts:
        mark = "**Downtime**: " if rollout in _DISRUPTIVE else ""
        named = "; ".join(causes[:6]) + (f" and {len(causes) - 6} more" if len(causes) > 6 else "")
        yield f"{mark}{escape(rollout)} ({escape(named)})"


def shown(value: Any) -> str:
    """A value of the plan's data, short and escaped for Markdown."""
    if value is None:
        return "none"
    if isinstance(value, dict):
        if set(value) == {"min", "max"}:
            return f"{value['min']}-{value['max']}"
        if set(value) == {"windows", "hoursAWeek", "hoursAMonth"}:
            windows = "; ".join(value["windows"])
            return f"{escape(windows)} ({value['hoursAWeek']:.0f} hours a week)"
        return escape(", ".join(f"{key} {item}" for key, item in value.items()))
    if isinstance(value, list):
        return escape(", ".join(str(item) for item in value))
    return code(value) if isinstance(value, str) else escape(str(value))
