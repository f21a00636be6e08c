"""Asks every model until all answer or the time is up; the exit code is 0 if all answer.

KubeRay's Ready condition is not enough: it stays true while an edited configuration is still being
applied, and it counts endpoints, not models.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from .engine_log import EngineLogs
from .model_check import Model, Verdict, judge, read_models, without_hope
from .repairs import remove_left_jobs, restart_failed, restore_worker_counts
from .service_view import look, refusals
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

POLL_SECONDS = (0.5, 5.0)  # first and longest pause between two rounds
# A pause is about a tenth of the time waited so far: a ready model waits no longer for the script.
POLL_GROWTH = 1.1
CONCURRENT_REQUESTS = 8


def main() -> int:
    """Runs with the settings of the environment; the exit code."""
    return run(Settings.from_env(os.environ), lambda line: print(line, flush=True))


def run(settings: Settings, say: Callable[[str], None]) -> int:
    """Repairs and asks until every model is settled or the time is up; the exit code."""
    models = read_models(settings.configs, settings.model_tasks)
    verdicts: dict[str, Verdict] = {}
    logs = EngineLogs()
    started = time.monotonic()
    pause, longest = POLL_SECONDS
    counting = True
    remove_left_jobs(settings, say)
    # Once: a model that fails after this has failed during this run.
    first = look(settings, 0)
    earlier = refusals(settings, first.target_cluster)  # perhaps of another configuration
    restart_failed(
        models,
        first.submitted_to,
        say,
        sleepers=first.sleepers,
        failed_update_keeps_serving=settings.failed_update_keeps_serving,
    )
    with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
        while True:
            view = look(settings, time.monotonic() - started)
            for event, refusal in refusals(settings, view.target_cluster).items():
                if refusal != earlier.get(event):
                    view = replace(
                        view, rejected=f"Ray Serve refuses what KubeRay submits: {refusal[1]}"
                    )
            # After the look: as soon as that sees KubeRay done, the counts are final too.
            if counting and view.ray_cluster:
                counting = restore_worker_counts(settings, view.ray_cluster, say)
            unsettled = [model for model in models if not _settled(verdicts.get(model.name))]
            judged = {
                model.name: pool.submit(judge, model, view, settings, logs) for model in unsettled
            }
            for name, future in judged.items():
                verdict = future.result()
                if name not in verdicts or verdicts[name].text != verdict.text:
                    say(f"{name}: {verdict.text}")
                verdicts[name] = verdict
            verdicts = without_hope(verdicts)
            late = time.monotonic() + pause > started + settings.deadline_seconds
            if late or all(verdict.settled for verdict in verdicts.values()):
                return _report(models, verdicts, settings, say)
            time.sleep(pause)
            pause = min(pause * POLL_GROWTH, longest)


def _settled(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.settled


def _report(
    models: list[Model],
    verdicts: Mapping[str, Verdict],
    settings: Settings,
    say: Callable[[str], None],
) -> int:
    bad = [model for model in models if not verdicts[model.name].good]
    width = max([len(model.name) for model in models], default=0)
    say("")
    for model in models:
        verdict = verdicts[model.name]
        if verdict.good:
            took = f"{verdict.seconds:7.2f} s" if verdict.seconds else " " * 9
            say(f"{model.name:<{width}}  {took}  {verdict.text}")
    # Last, because Kubernetes keeps the end of the log as the pod's message.
    for model in bad:
        verdict = verdicts[model.name]
        late = "" if verdict.settled else f"not ready after {settings.deadline_seconds:.0f} s: "
        say(f"{model.name}: {late}{verdict.text}")
    if bad:
        say(f"{len(bad)} of {len(models)} models do not answer")
    return 1 if bad else 0
