"""Checks the vLLM engine arguments of a model by name, type, ownership and listed choices.

Ray hands them to vLLM at replica start, on a GPU node that is already paid for; the data of the
pinned vLLM (models/catalog/vllm) lets us do it before.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final

from models.catalog import (
    DroppedArgument,
    EngineArgument,
    added_in,
    dropped_arguments,
    dropped_in,
    engine_arguments,
    front_end_arguments,
    ray_releases,
    serving_arguments,
    vllm_versions,
)
from models.problems import Problem
from models.spelling import accepted, nearest_of
from models.ways_out import WayOut, instead, leave_out, meant, rename, use
from planning.checks.contexts import EntryContext
from planning.sizing.task import TASKS_OF_ARGUMENT

# Arguments that the program sets, and the keys that users set instead.
_OWNED: Final[Mapping[str, str]] = {
    "model": "Set model or source in the entry",
    "served_model_name": "Set name in the entry",
    "num_gpus": "Set tensorParallelSize in the entry: GPUs follow from it, and num_gpus would "
    "add one more",
    "hf_token": "Set ray-llm:huggingFaceToken as a secret",
    "distributed_executor_backend": "Leave it out: under Ray Serve it must be ray",
    "data_parallel_size": "Set replicas: Ray Serve scales by replicas, and vLLM's data parallelism "
    "excludes its autoscaling",
    **dict.fromkeys(
        TASKS_OF_ARGUMENT,
        "Leave it out, and set task in the entry: generate, embed or score, for which Ray Serve "
        "has a path",
    ),
}
_FRONT_END: Final = (
    "Leave it out; Ray Serve has neither authentication nor TLS, so keep the service inside the "
    "cluster or put a gateway in front of it"
)
# The values of vLLM's own arguments that leave the task open.
_OPEN_TASKS: Final[Mapping[str, frozenset[str]]] = {
    "task": frozenset({"auto"}),
    "convert": frozenset({"auto", "none"}),
    "runner": frozenset({"auto", "pooling"}),
}
# Their values depend on the checkpoint and may be written otherwise: planning/sizing/quantization.
_CHOSEN_BY_CHECKPOINT: Final = frozenset({"quantization"})
_NUMBER_OR_BOOLEAN: Final = re.compile(r"[-+]?[0-9.]+|true|false", re.IGNORECASE)
_THOUSANDS: Final = re.compile(r"([0-9]+)k")  # of tokens, as people write a context of 8k
_LONGEST_NUMBER: Final = 15
_NAMES_OF_TYPES: Final[Mapping[str, str]] = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "list": "a list",
    "dict": "a mapping",
    "none": "null",
}


def engine_argument_problems(context: EntryContext) -> Iterable[Problem]:
    """Arguments in `engine` that vLLM would refuse, or that Ray would accept and ignore."""
    vllm_version = context.vllm
    if vllm_version is None:
        return
    known = _known(vllm_version)
    front_end = front_end_arguments(vllm_version)
    for name, value in context.engine.items():
        where = f"{context.path}.engine.{name}"
        if name in _OWNED and not _is_served_task(name, value):
            yield Problem(
                path=where,
                reason="is set by this program",
                remedy=_OWNED[name],
                rule="engine-argument-owned",
                candidates=(instead(where, _OWNED[name]),),
            )
        elif name in known:
            yield from _type_problems(known[name], value, where)
        elif name in front_end:
            yield Problem(
                path=where,
                reason="belongs to vLLM's own HTTP server, which Ray Serve never starts: it would "
                "be accepted without an error and have no effect",
                remedy=_FRONT_END,
                rule="engine-argument-front-end",
                candidates=(instead(where, _FRONT_END),),
            )
        else:
            yield _unknown(name, known, vllm_version, where)


def _is_served_task(name: str, value: Any) -> bool:
    """Whether an argument states a task of which Ray's application has a path.

    https://github.com/ray-project/ray/issues/54993
    """
    served = {*TASKS_OF_ARGUMENT.get(name, ()), *_OPEN_TASKS.get(name, ())}
    return isinstance(value, str) and value in served


def _unknown(
    name: str, known: Mapping[str, EngineArgument], vllm_version: str, where: str
) -> Problem:
    """An argument that this vLLM lacks: dropped, not there yet, or misspelt."""
    reason = f"is not an engine argument of vLLM {vllm_version}"
    written = name.replace("-", "_")
    since, dropped = dropped_in(written, vllm_version), dropped_arguments().get(written)
    later = added_in(written, vllm_version)
    remedy = "Engine arguments keep vLLM's own names, with underscores"
    ways: Iterable[WayOut] = ()
    if since is not None or (dropped is not None and later is None):
        oldest = vllm_versions()[0]
        reason += f": it was dropped {f'in vLLM {since}' if since else f'before vLLM {oldest}'}"
        remedy = "Leave it out" if dropped is None else dropped.instead
        ways = _ways_without(dropped, remedy, where)
    elif later is not None:
        reason += f": it came with vLLM {later}"
        remedy = "Leave it out"
        ways = _ways_to_newer(later, where)
    elif near := nearest_of(name, known):
        remedy = f"Did you mean {near}? {remedy}"
        ways = (rename(where, near),)
    return Problem(
        path=where, reason=reason, remedy=remedy, rule="engine-argument-unknown", candidates=ways
    )


def _ways_without(dropped: DroppedArgument | None, remedy: str, where: str) -> Iterable[WayOut]:
    if dropped is not None and dropped.becomes is not None:
        becomes = dropped.becomes
        yield replace(rename(where, becomes), words=f"write {becomes}", group="becomes")
    yield replace(instead(where, remedy), group="becomes")


def _ways_to_newer(vllm_version: str, where: str) -> Iterable[WayOut]:
    yield leave_out(where, "leave it out")
    for row in ray_releases().values():
        if row.vllm == vllm_version:
            yield use("ray-llm:versions.ray", row.ray, f"use versions.ray: {row.ray}")


@cache
def _known(vllm_version: str) -> Mapping[str, EngineArgument]:
    return {**engine_arguments(vllm_version), **serving_arguments(vllm_version)}


def types_in_words(argument: EngineArgument) -> str:
    """The types of an argument, or of a field within one, as the end of `is not`."""
    return " or ".join(_NAMES_OF_TYPES[kind] for kind in argument.types)


def _type_problems(argument: EngineArgument, value: Any, where: str) -> Iterable[Problem]:
    if not _has_type(value, argument.types):
        wanted = types_in_words(argument)
        yield Problem(
            path=where,
            value="null" if value is None else f'"{value}"' if isinstance(value, str) else value,
            reason=f"is not {wanted}",
            remedy="Write it without quotes"
            if isinstance(value, str) and _NUMBER_OR_BOOLEAN.fullmatch(value)
            else f"Write {wanted}",
            rule="engine-argument-type",
            candidates=_values_meant(argument, value, where),
        )
    elif argument.choices is not None and isinstance(value, str | int) and value is not None:
        listed = isinstance(value, bool) or argument.lists(value)
        if listed or argument.name in _CHOSEN_BY_CHECKPOINT:
            return
        choices = [str(choice) for choice in argument.choices]
        near = next(
            (known for known in argument.choices if str(known) == nearest_of(str(value), choices)),
            None,
        )
        yield Problem(
            path=where,
            value=value,
            reason=f"is not a value that vLLM accepts for {argument.name}",
            remedy=accepted(str(value), choices),
            rule="engine-argument-choice",
            candidates=(
                *(() if near is None else (meant(where, near),)),
                leave_out(where, "leave it out"),
            ),
        )


def _values_meant(argument: EngineArgument, value: Any, where: str) -> Iterable[WayOut]:
    """A number or truth value out of its quotes; "8k" in whole; the argument's own default."""
    if isinstance(value, str):
        read = _read(value.strip().lower())
        if read is not None and _has_type(read, argument.types):
            yield use(where, read, f"write {_shown(read)} without quotes")
    yield leave_out(where, "leave it out")


def _read(text: str) -> int | float | bool | None:
    if text in ("true", "false"):
        return text == "true"
    if len(text) > _LONGEST_NUMBER:
        return None
    if thousands := _THOUSANDS.fullmatch(text):
        return int(thousands[1]) * 1024
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def _shown(value: object) -> str:
    return str(value).lower()


def _has_type(value: Any, types: tuple[str, ...]) -> bool:
    if value is None:
        return "none" in types
    if isinstance(value, bool):
        return "bool" in types
    if isinstance(value, int):
        return "int" in types or "float" in types
    if isinstance(value, float):
        return "float" in types
    if isinstance(value, str):
        return "str" in types
    if isinstance(value, list):
        return "list" in types
    return isinstance(value, dict) and "dict" in types
