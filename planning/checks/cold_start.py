"""Whether the first request to a model that sleeps is answered before its client gives up."""

from collections.abc import Iterable

from models.catalog import start_times
from models.problems import Problem
from models.ways_out import WayOut, leave_out, outside, use
from planning.budget.off_hours import concerns
from planning.checks.contexts import StackContext
from planning.plan import REQUEST_TIMEOUT_SECONDS, ModelPlan
from planning.sizing.cold_start import cold_start


def cold_start_problems(context: StackContext) -> Iterable[Problem]:
    """Models that sleep, and of which even the fastest start takes longer than a client waits.

    A start that only may take longer is said in the plan, not here.
    """
    pools = {pool.id: pool for pool in context.pools}
    for model in context.models:
        if model.replicas.min and not _sleeps_at_night(context, model):
            continue
        start = cold_start(model, pools[model.pool])
        client = start_times().client_timeout_seconds
        if start.anew.least <= client:
            continue
        over = start.anew.least > REQUEST_TIMEOUT_SECONDS
        yield Problem(
            path=model.path,
            value=model.name,
            reason=f"sleeps, and the first request after that waits for at least "
            f"{_minutes(start.anew.least)}, of which its weights take "
            f"{_minutes(start.weights.least)}: longer than "
            + (
                f"the {REQUEST_TIMEOUT_SECONDS // 60} minutes after which the service itself gives "
                "up"
                if over
                else f"the {client // 60} minutes after which OpenAI's clients give up and ask "
                "again, unless told otherwise"
            ),
            remedy="Keep a replica"
            if over
            else "Keep a replica, or let clients wait for half an hour",
            rule="cold-start-timeout",
            candidates=(
                *_awake(context, model),
                *(() if over else (outside("let clients wait for half an hour"),)),
            ),
        )


def _sleeps_at_night(context: StackContext, model: ModelPlan) -> bool:
    return any(concerns(window, model.name) for window in context.settings.off_hours)


def _awake(context: StackContext, model: ModelPlan) -> Iterable[WayOut]:
    windows = context.settings.off_hours
    if not model.replicas.min:
        yield use(f"{model.path}.replicas.min", 1)
    elif len(windows) == 1:
        # A window changes nothing for models that sleep at any hour.
        others = [
            other.name
            for other in context.models
            if other.name != model.name and other.replicas.min
        ]
        named = [name for name in others if concerns(windows[0], name)]
        if named:
            yield use(f"{windows[0].path}.models", named)
        else:
            yield leave_out("ray-llm:offHours", "leave offHours out")


def _minutes(seconds: int) -> str:
    minutes = max(1, round(seconds / 60))
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
