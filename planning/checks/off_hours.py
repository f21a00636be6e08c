"""Whether the windows of `offHours` let models sleep that exist, and wake them in time."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import combinations
from typing import Final

from models.off_hours import zone
from models.problems import Problem
from models.spelling import nearest, nearest_of
from models.stack import OffHoursWindow
from models.ways_out import WayOut, leave_out, meant, outside, use
from planning.budget.off_hours import Sleepers, concerns, node_stays_seconds, nodes_go, times_of
from planning.budget.sleep_hours import (
    first_overlap,
    same_minutes,
    shortest_day,
    shortest_nap,
)
from planning.checks.contexts import StackContext
from planning.plan import ModelPlan, PoolPlan
from planning.sizing.cold_start import cold_start

_NAMED: Final = 6


def off_hours_problems(context: StackContext) -> Iterable[Problem]:
    """What is wrong with the windows, one by one and together."""
    windows = context.settings.off_hours
    if not windows:
        return
    for window in windows:
        yield from _unknown_models(context, window)
        yield from _same_minute(context, window)
    yield from _overlaps(context, windows)
    if context.models:
        for window in windows:
            yield from _already_asleep(context, window)
            yield from _short_nights(context, window)
        yield from _kept_nodes(context, windows)
        yield from _short_days(context, windows)


def _unknown_models(context: StackContext, window: OffHoursWindow) -> Iterable[Problem]:
    served = [model.served_name for model in context.settings.models]
    for index, name in enumerate(window.models or ()):
        if name in served:
            continue
        path = f"{window.path}.models[{index}]"
        near = nearest_of(name, served)
        yield Problem(
            path=path,
            value=name,
            reason="is not the name of a model that this stack serves",
            remedy=f"{nearest(name, served)}Name models as requests do: {_listed(served)}",
            rule="off-hours-model",
            candidates=(
                *(() if near is None else (meant(path, near),)),
                _without(context, window, [name]),
            ),
        )


def _without(context: StackContext, window: OffHoursWindow, names: Sequence[str]) -> WayOut:
    """The window without these models; without the window, if none is left."""
    left = [name for name in window.models or () if name not in names]
    if not left:
        return _leave(context, window)
    return use(f"{window.path}.models", left, f"leave {_listed(names)} out of models")


def _same_minute(context: StackContext, window: OffHoursWindow) -> Iterable[Problem]:
    first = same_minutes(times_of(window))
    if first is None:
        return
    yield Problem(
        path=window.path,
        value=None if window.sleep == window.wake else f"sleep {window.sleep}, wake {window.wake}",
        reason=(
            f"has {window.sleep} as sleep and as wake"
            if window.sleep == window.wake
            else f"has both due at the same minute, for instance on {_clock(first, window)}"
        )
        + ", so that nothing says which of the two holds",
        remedy="Let one of them be due at another minute",
        rule="off-hours-same-minute",
        candidates=(_leave(context, window),),
    )


def _overlaps(context: StackContext, windows: Sequence[OffHoursWindow]) -> Iterable[Problem]:
    served = [model.served_name for model in context.settings.models]
    for one, other in combinations(windows, 2):
        both = [name for name in served if concerns(one, name) and concerns(other, name)]
        if not both:
            continue
        first = first_overlap(times_of(one), times_of(other))
        if first is None:
            continue
        yield Problem(
            path=other.path,
            reason=f"overlaps {one.path} for {_listed(both)}, for instance on "
            f"{_clock(first, other)}, where one of them may say that the model sleeps and the "
            "other that it wakes",
            remedy="Make one window of both, or name other models in one of them",
            rule="off-hours-overlap",
            candidates=(
                *_other_models(context, other, both),
                _leave(context, other),
                _leave(context, one),
            ),
        )


def _other_models(
    context: StackContext, window: OffHoursWindow, both: Sequence[str]
) -> Iterable[WayOut]:
    named = window.models or tuple(model.served_name for model in context.settings.models)
    left = [name for name in named if name not in both]
    if left:
        yield use(f"{window.path}.models", left)


def _already_asleep(context: StackContext, window: OffHoursWindow) -> Iterable[Problem]:
    least = {model.name: model.replicas.min for model in context.models}
    concerned = [name for name in least if concerns(window, name)]
    idle = [name for name in concerned if not least[name]]
    if not idle or (window.models is None and len(idle) < len(concerned)):
        return
    yield Problem(
        path=window.path if window.models is None else f"{window.path}.models",
        reason=f"changes nothing for {_listed(idle)}, which sleeps without requests at any hour "
        "(replicas.min: 0)",
        remedy="Leave it out, or give it a replicas.min",
        rule="off-hours-asleep",
        candidates=(_without(context, window, idle),),
    )


def _short_nights(context: StackContext, window: OffHoursWindow) -> Iterable[Problem]:
    nap = shortest_nap(times_of(window))
    windows = Sleepers(settings=context.settings, models=context.models)
    sleepers = [
        model
        for model in _sleepers(context)
        if concerns(window, model.name) and nodes_go(windows, _pool(context, model))
    ]
    slow = [model for model in sleepers if nap is not None and nap < _turn(context, model)]
    if nap is None or not slow:
        return
    slowest = max(slow, key=lambda model: _turn(context, model))
    yield Problem(
        path=window.path,
        reason=f"is open for {_duration(nap)} only, and {slowest.name} takes "
        f"{_duration(_node_stays(context, slowest))} until its node is gone and up to "
        f"{_duration(_start(context, slowest))} to start again",
        remedy="Make it longer",
        rule="off-hours-short",
        candidates=(
            _leave(context, window),
            outside("make it longer"),
        ),
    )


def _kept_nodes(context: StackContext, windows: Sequence[OffHoursWindow]) -> Iterable[Problem]:
    """Pools whose nodes stay in all windows, so that nothing is saved on them."""
    sleepers = Sleepers(settings=context.settings, models=context.models)
    for pool in context.pools:
        here = [model.name for model in _sleepers(context) if model.pool == pool.id]
        names = [name for name in here if name in sleepers.windows]
        if not names or nodes_go(sleepers, pool):
            continue
        awake = [name for name in here if name not in sleepers.windows]
        window = next(window for window in windows if concerns(window, names[0]))
        by_minimum = nodes_go(sleepers, replace(pool, min_nodes=0))
        yield Problem(
            path=window.path,
            reason=f"saves nothing on {pool.id}, whose nodes stay while {_listed(names)} "
            f"{'sleeps' if len(names) == 1 else 'sleep'}: "
            + (
                f"its minNodes {pool.min_nodes} keeps them"
                if by_minimum
                else f"{_listed(awake)} {'needs' if len(awake) == 1 else 'need'} them day and night"
            ),
            remedy="Let the nodes go, or leave the models awake",
            rule="off-hours-kept",
            candidates=(
                *((use(f"{pool.path}.minNodes", 0),) if by_minimum else ()),
                *(
                    (use(f"{window.path}.models", [*window.models, *awake]),)
                    if awake and window.models is not None and not by_minimum
                    else ()
                ),
                _without(context, window, names),
            ),
        )


def _short_days(context: StackContext, windows: Sequence[OffHoursWindow]) -> Iterable[Problem]:
    seen: set[tuple[str, ...]] = set()
    for model in _sleepers(context):
        mine = [window for window in windows if concerns(window, model.name)]
        day = shortest_day([times_of(window) for window in mine])
        paths = tuple(window.path for window in mine)
        if day is None or day <= 0 or day >= _start(context, model) or paths in seen:
            continue
        seen.add(paths)
        yield Problem(
            path=mine[0].path,
            reason=f"leaves {model.name} awake for {_duration(day)} at a time, and it takes up to "
            f"{_duration(_start(context, model))} to start",
            remedy="Let it sleep less often",
            rule="off-hours-short",
            candidates=(
                _leave(context, mine[-1]),
                outside("let it sleep less often"),
            ),
        )


def _sleepers(context: StackContext) -> Sequence[ModelPlan]:
    return [model for model in context.models if model.replicas.min]


def _pool(context: StackContext, model: ModelPlan) -> PoolPlan:
    return next(pool for pool in context.pools if pool.id == model.pool)


def _node_stays(context: StackContext, model: ModelPlan) -> int:
    return node_stays_seconds(model, _pool(context, model))


def _start(context: StackContext, model: ModelPlan) -> int:
    """The most seconds that a replica takes to start, or the least if no more is known."""
    start = cold_start(model, _pool(context, model)).anew
    return start.least if start.most is None else start.most


def _turn(context: StackContext, model: ModelPlan) -> int:
    """Until its node is gone and it has started again: shorter windows save nothing."""
    return _node_stays(context, model) + _start(context, model)


def _leave(context: StackContext, window: OffHoursWindow) -> WayOut:
    path = window.path if len(context.settings.off_hours) > 1 else "ray-llm:offHours"
    return leave_out(path, f"leave {path.partition(':')[2]} out")


def _clock(seconds: int, window: OffHoursWindow) -> str:
    moment = datetime.fromtimestamp(seconds, zone(window.time_zone))
    return f"{moment:%A, %d %B %Y, %H:%M} ({window.time_zone})"


def _duration(seconds: int) -> str:
    minutes = max(1, round(seconds / 60))
    if minutes >= 120 and minutes % 60 == 0:
        return f"{minutes // 60} hours"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join([*names[:_NAMED], *([f"{more} more"] if more > 0 else [])])
