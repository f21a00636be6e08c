"""Metrics of the engine that a model turns off."""

from collections.abc import Iterable

from models.problems import Problem
from models.ways_out import leave_out
from planning.checks.contexts import EntryContext


def engine_metrics_problems(context: EntryContext) -> Iterable[Problem]:
    """A warning where `disable_log_stats` takes metrics away that Ray would show.

    Ray refuses the argument while log_engine_metrics is on, so manifests/ turns that off with it.
    https://github.com/ray-project/ray/blob/ray-2.60.0/python/ray/llm/_internal/serve/core/configs/llm_config.py
    """
    if context.engine.get("disable_log_stats") is not True or context.release is None:
        return
    if context.release.ray.logs_engine_metrics:
        path = f"{context.path}.engine.disable_log_stats"
        yield Problem(
            path=path,
            value="true",
            reason="turns off the engine's metrics, which dashboards and alerts on vllm: read "
            "(log_engine_metrics is written as false, because Ray refuses the two together)",
            remedy="Leave it out",
            rule="engine-metrics-off",
            candidates=(leave_out(path, "leave it out"),),
        )
