"""Runs `measure`: a load test of one deployed model, and the file that the plan reads."""

import argparse
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from diagnosis import Part, Snapshot, UnreachableError, cluster_of, diagnose, model_states
from manifests import port_forward
from measuring import Load, LoadError, LoadResult, measured_levels
from models.access import Exposure
from models.measurements import VERSION, Measurement, measurement_data, measurement_path
from models.tasks import Task
from planning import ModelPlan, Plan, speed_conditions
from reports.cluster_commands import UNKNOWN, WELL, WRONG, model_named, planned
from reports.printing import complain, print_result
from reports.sources import SourceError
from reports.table import Row, Table, text_table

DEFAULT_KEY: Final = "OPENAI_API_KEY"
_FORWARDED: Final = "http://127.0.0.1:{port}"
_WORDS: Final = 192
_OUTPUT_TOKENS: Final = 128
# A word of the prompts is a token and a half at most, of its id four dozen.
_TOKENS_A_WORD: Final = 2
_ID_TOKENS: Final = 48
_HEADER: Final = (
    "# Written by `ray-llm measure`. The plan shows it beside the model as long as all of\n"
    "# `conditions` is so. Times in seconds.\n"
)


def measure(options: argparse.Namespace) -> int:
    """Measures, prints the figures and writes the file."""
    path, plan = planned(options)
    model = model_named(plan, options.model)
    load = _load(options, plan, model)
    try:
        return _measured(options, path, plan, model, load)
    except LoadError as error:
        complain(f"Not measured: {error}. {_way_out(options, plan, error)}")
        return WRONG if error.in_load else UNKNOWN
    except UnreachableError as error:
        complain(f"Not measured: {error} Or say with --replicas how many answer.")
        return UNKNOWN
    except KeyboardInterrupt:
        complain("Not measured: stopped. Nothing was written.")
        return UNKNOWN


def _measured(
    options: argparse.Namespace, path: Path, plan: Plan, model: ModelPlan, load: Load
) -> int:
    before = _Seen(options, plan, model)
    result = measured_levels(load, complain)
    after = _Seen(options, plan, model)
    measurement = _measurement(plan, model, result, after.replicas or before.replicas)
    doubts = list(_doubts(before, after, result))
    if options.json:
        data = {
            **measurement_data(measurement),
            "measured": measurement.measured.isoformat(),
            "doubts": doubts,
        }
        print_result(json.dumps(data, indent=2))
    else:
        print_result(_text(measurement))
    if doubts:
        complain(f"Not written: {' '.join(doubts)}")
        return WRONG
    file = measurement_path(path.parent, plan.stack, model.name)
    _write(file, measurement)
    complain(f"Written to {file}; `ray-llm plan` shows it beside the model.")
    return WELL


class _Seen:
    """How many replicas answer, and how what runs differs from the stack file."""

    def __init__(self, options: argparse.Namespace, plan: Plan, model: ModelPlan) -> None:
        """Raises UnreachableError if nobody says how many replicas there are."""
        self.differs = ""
        if options.replicas is not None:
            self.replicas: int = options.replicas
            return
        snapshot = cluster_of(plan, options.context).snapshot()
        if snapshot.serve is None:
            of_serve = (item.why for item in snapshot.unseen if item.part is Part.SERVE)
            why = next(of_serve, "it is not there")
            raise UnreachableError(f"Ray Serve does not say how many replicas answer ({why}).")
        states = {state.model: state for state in model_states(snapshot, plan)}
        self.replicas = states[model.name].running
        self.differs = _difference(snapshot, plan, model)


def _difference(snapshot: Snapshot, plan: Plan, model: ModelPlan) -> str:
    """What of the model, or of the Ray cluster, runs otherwise than the stack file says."""
    for finding in diagnose(snapshot, plan):
        words = (f"{model.name}: ", f"/{model.name}", "rayClusterConfig", " more")
        if finding.rule == "live-differs" and any(word in finding.why for word in words):
            return finding.why
    return ""


def _doubts(before: _Seen, after: _Seen, result: LoadResult) -> Iterator[str]:
    """Why the figures are not those of the planned model."""
    # A model that slept has no replica before the first request.
    if not after.replicas:
        yield "Ray Serve shows no replica of the model, so that it is not known what answered."
    elif before.replicas not in (0, after.replicas):
        yield (
            f"The number of replicas changed from {before.replicas} to {after.replicas} meanwhile, "
            "so that the figures are those of neither. Measure with replicas: min and max the same."
        )
    if differs := before.differs or after.differs:
        yield f"What runs is not what the stack file says: {differs}. Run `pulumi up` first."
    if any(level.output_tokens_per_second < 1 for level in result.levels):
        yield "A level got less than a token a second."


def _load(options: argparse.Namespace, plan: Plan, model: ModelPlan) -> Load:
    """What to ask. Raises SourceError if the model or an option cannot be measured with."""
    if model.task is not Task.GENERATE:
        raise SourceError(
            f"{model.name} is served for {model.task.value}, and only models that generate are "
            "measured."
        )
    key = os.environ.get(options.key_env, "").strip() or None
    if key is not None and not (key.isascii() and key.isprintable()):
        raise SourceError(f"{options.key_env}: holds what cannot be a key.")
    output_tokens = min(_OUTPUT_TOKENS, model.max_model_len // 4)
    room = (model.max_model_len - output_tokens - _ID_TOKENS) // _TOKENS_A_WORD
    if room < 1:
        raise SourceError(
            f"{model.name} has a context of {model.max_model_len} tokens, too few to measure with."
        )
    return Load(
        base_url=f"{_address(options, plan)}{model.route}/v1",
        model=model.name,
        key=key,
        words=min(_WORDS, room),
        output_tokens=output_tokens,
        seconds=options.seconds,
        first_seconds=float(plan.service.request_timeout_seconds),
    )


def _address(options: argparse.Namespace, plan: Plan) -> str:
    if options.url:
        address = str(options.url).rstrip("/")
        if not address.startswith(("http://", "https://")):
            raise SourceError("--url: is no address. Write http://HOST:PORT.")
        return address
    if plan.access is not None and plan.access.exposure is Exposure.EXTERNAL:
        return plan.url
    return _FORWARDED.format(port=plan.service.port)


def _way_out(options: argparse.Namespace, plan: Plan, error: LoadError) -> str:
    if error.code in (401, 403):
        return f"Put a key of this stack into the environment variable {options.key_env}."
    if error.code == 429:
        return (
            "Measure with a key without limits, or past the gateway: "
            f"`{_forward(plan)}` and --url {_FORWARDED.format(port=plan.service.port)}."
        )
    if error.code == 404:
        return (
            f"`ray-llm status --stack {plan.stack}` says what is deployed; --url is the address "
            "without the model's path."
        )
    if error.is_broken or error.in_load:
        return f"`ray-llm doctor --stack {plan.stack}` says what is wrong."
    if error.code is None:
        return f"If the service is reached only from its cluster, forward it: `{_forward(plan)}`."
    return f"`ray-llm logs {options.model} --stack {plan.stack}` shows what it says."


def _forward(plan: Plan) -> str:
    service = plan.service
    return port_forward(service.namespace, service.serve_service, service.port)


def _measurement(plan: Plan, model: ModelPlan, result: LoadResult, replicas: int) -> Measurement:
    return Measurement(
        version=VERSION,
        measured=datetime.now(UTC).date(),
        model=model.name,
        replicas=max(1, replicas),
        prompt_tokens=result.prompt_tokens,
        output_tokens=result.output_tokens,
        conditions=speed_conditions(model, plan.pool(model.pool), plan.release),
        levels=result.levels,
    )


def _text(measurement: Measurement) -> str:
    columns = ("at once", "answers", "tokens/s", "first token", "p95", "next token", "p95 ")
    rows = tuple(
        Row(
            (
                str(level.requests_at_once),
                str(level.requests),
                f"{level.output_tokens_per_second:,.1f}",
                *(
                    f"{1000 * seconds:,.{digits}f} ms"
                    for spread, digits in ((level.time_to_first_token, 0), (level.inter_token, 1))
                    for seconds in (spread.median, spread.p95)
                ),
            )
        )
        for level in measurement.levels
    )
    replicas = measurement.replicas
    return (
        f"{text_table(Table(columns, frozenset(columns), rows))}\n"
        f"{measurement.model} on {replicas} replica{'' if replicas == 1 else 's'}; prompts of "
        f"{measurement.prompt_tokens:.0f} and answers of {measurement.output_tokens:.0f} tokens"
    )


def _write(file: Path, measurement: Measurement) -> None:
    content: Any = yaml.safe_dump(measurement_data(measurement), sort_keys=False)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(f"{_HEADER}{content}", encoding="utf-8")
        unfinished.replace(file)
    except OSError as error:
        raise SourceError(f"{file}: cannot be written ({error.strerror}).") from None
