"""Whether one model is deployed as it should be, and whether it answers."""

from __future__ import annotations

import math
import time
import urllib.error
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml

from .failures import failure, progress
from .http_json import fetch, one_line, reason
from .questions import FORMS
from .serve_api import deployed_config

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from .engine_log import EngineLogs
    from .service_view import View
    from .settings import Settings

# How a model refuses a request that it does not support, as a base model refuses chat.
_NOT_SUPPORTED = (400, 405, 422, 501)
_BEFORE_OTHERS = "runs in the new Ray cluster, which takes over once all models run there"
# Where the numbers of such an answer are in its first entry.
_NUMBERS = {"embeddings": "embedding", "score": "score"}


@dataclass(frozen=True)
class Model:
    """One model as it should be deployed.

    task: what it is asked for, in vLLM's word: `generate`, `embed` or `score`.
    """

    name: str
    config: Mapping[str, Any]
    min_replicas: int
    task: str = "generate"

    def is_deployed_in(self, application: Mapping[str, Any], sleepers: Collection[str]) -> bool:
        """Whether the application has the model's config; sleepers: those with off-hours."""
        found = deployed_config(application)
        return found == self.config or (self.name in sleepers and found == self._asleep)

    @property
    def _asleep(self) -> Mapping[str, Any]:
        options = self.config["deployment_config"]
        scaling = {**options["autoscaling_config"], "min_replicas": 0}
        return {
            **self.config,
            "deployment_config": {**options, "autoscaling_config": scaling},
        }


@dataclass(frozen=True)
class Verdict:
    """What is known of a model.

    settled: whether more waiting can change nothing.
    seconds: how long the answer took; 0 if nothing was asked.
    waits_for_others: whether it runs in a Ray cluster that takes over once all models run there.
    """

    settled: bool
    good: bool
    text: str
    seconds: float = 0.0
    waits_for_others: bool = False


def read_models(folder: Path, tasks: Mapping[str, str]) -> list[Model]:
    """The models whose LLM configs are in `folder`, one file a model, by name.

    tasks: the tasks of those that do not generate text.
    """
    models = []
    for path in sorted(folder.glob("*.yaml")):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        scaling = config["deployment_config"]["autoscaling_config"]
        name = config["model_loading_config"]["model_id"]
        task = tasks.get(name, "generate")
        models.append(Model(name, config, scaling["min_replicas"], task))
    return models


def judge(model: Model, view: View, settings: Settings, logs: EngineLogs) -> Verdict:
    """What `view` says of one model and, if it should answer by now, what it answers."""
    if view.rejected:
        return Verdict(True, False, one_line(view.rejected))
    for applications, serve_api in (
        (view.upcoming, view.submitted_to),
        (view.applications, settings.dashboard_url),
    ):
        application = applications.get(model.name)
        if application and model.is_deployed_in(application, view.sleepers):
            if application["status"] == "DEPLOY_FAILED":
                return Verdict(True, False, failure(application, serve_api, settings, logs))
            if applications is view.upcoming:
                if application["status"] == "RUNNING":
                    return Verdict(False, False, _BEFORE_OTHERS, waits_for_others=True)
                return Verdict(False, False, progress(application, serve_api, settings, logs))
    if view.waiting:
        return Verdict(False, False, view.waiting)
    application = view.applications.get(model.name)
    if application is None:
        return Verdict(False, False, "its application is not deployed")
    if not model.is_deployed_in(application, view.sleepers):
        return Verdict(False, False, "still runs with its previous configuration")
    if application["status"] != "RUNNING":
        return Verdict(False, False, progress(application, settings.dashboard_url, settings, logs))
    if model.min_replicas == 0:
        return Verdict(True, True, "deployed, starts with its first request")
    return ask(model, settings)


def without_hope(verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """The verdicts, settled where a model waits for another one that has failed.

    KubeRay switches to a second Ray cluster when every application runs there, and Ray Serve does
    not try a failed one again.
    """
    has_failed = any(verdict.settled and not verdict.good for verdict in verdicts.values())
    return {
        name: replace(verdict, settled=True) if has_failed and verdict.waits_for_others else verdict
        for name, verdict in verdicts.items()
    }


def ask(model: Model, settings: Settings) -> Verdict:
    """Lists the models at the route and sends one question, in the first form that is supported."""
    base = f"{settings.serve_url}/{model.name}/v1"
    refusals = []
    try:
        listed = fetch(f"{base}/models")
        if model.name not in [entry.get("id") for entry in listed.get("data", [])]:
            return Verdict(False, False, f"{base}/models does not list it")
        for path, body, answer in FORMS[model.task]:
            started = time.monotonic()
            try:
                reply = fetch(f"{base}/{path}", {"model": model.name, **body})
            except urllib.error.HTTPError as error:
                if error.code not in _NOT_SUPPORTED:
                    raise
                refusals.append(f"{path}: {reason(error)}")
                continue
            if lack := _lack(path, reply, answer):
                return Verdict(False, False, lack)
            return Verdict(True, True, f"answers {path}", time.monotonic() - started)
    except (OSError, ValueError) as error:
        return Verdict(False, False, f"does not answer: {reason(error)}")
    return Verdict(True, False, one_line("refuses the question: " + "; ".join(refusals)))


def _lack(path: str, reply: Mapping[str, Any], answer: str) -> str | None:
    """What an answer lacks; None if it is one. Numbers that overflowed in 16 bit are none."""
    found = reply.get(answer)
    if not found:
        return f"{path} answers without {answer}"
    field = _NUMBERS.get(path)
    if field is None:
        return None
    first = found[0] if isinstance(found, list) else None
    value = first.get(field) if isinstance(first, dict) else None
    numbers = value if isinstance(value, list) else [value]
    if not numbers or not all(_is_finite(number) for number in numbers):
        return f"{path} answers without numbers in {answer}[0].{field}"
    return None


def _is_finite(number: object) -> bool:
    if isinstance(number, bool) or not isinstance(number, int | float):
        return False
    return math.isfinite(number)
