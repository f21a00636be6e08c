"""Checks the vLLM engine arguments of a model by name, type and ownership.

Ray hands them to vLLM at replica start, on a GPU node that is already paid for; the data of the
pinned vLLM (models/catalog/vllm) lets us do it before.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final

from models.catalog import (
    EngineArgument,
    argument_bounds,
    closed_values,
    engine_arguments,
    front_end_arguments,
    nearest_ray,
    serving_arguments,
    vllm_behaviour,
)
from models.problems import Problem
from models.spelling import nearest, one_of
from planning.checks.contexts import EntryContext
from planning.plan import ReleasePlan

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
    "task": "Leave it out, or write embed: the OpenAI-compatible application generates text or "
    "embeds it",
}
# The tasks of vLLM that Ray's OpenAI-compatible application has a path for: chat and completions,
# and /v1/embeddings (https://github.com/ray-project/ray/issues/54993).
_SERVED_TASKS: Final = frozenset({"auto", "generate", "embed", "embedding"})
# The least and the most that planning can compute with, or that vLLM accepts.
_LARGEST_COUNT: Final = 1_000_000_000
_LARGEST_BYTES: Final = 10**15
_COUNT: Final = (1, _LARGEST_COUNT)
_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "block_size": _COUNT,
    "cpu_offload_gb": (0, _LARGEST_COUNT),
    "kv_cache_memory_bytes": (1, _LARGEST_BYTES),
    "max_loras": _COUNT,
    "max_model_len": _COUNT,
    "max_num_batched_tokens": _COUNT,
    "max_num_seqs": _COUNT,
    "num_gpu_blocks_override": _COUNT,
    "optimization_level": (0, 3),
    "pipeline_parallel_size": _COUNT,
    "stream_interval": _COUNT,
    "swap_space": (0, _LARGEST_COUNT),
    "tensor_parallel_size": _COUNT,
}
_NUMBER_OR_BOOLEAN: Final = re.compile(r"[-+]?[0-9.]+|true|false", re.IGNORECASE)
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
        if name in _OWNED and not (name == "task" and str(value) in _SERVED_TASKS):
            yield Problem(
                path=where,
                reason="is set by this program",
                remedy=_OWNED[name],
                rule="engine-argument-owned",
            )
        elif name in known:
            found = tuple(_type_problems(known[name], value, where))
            found = found or tuple(_bound_problems(vllm_version, name, value, where))
            yield from found or _closed_value_problems(context, name, value, where)
        elif name in front_end:
            yield Problem(
                path=where,
                reason="belongs to vLLM's own HTTP server, which Ray Serve never starts: it would "
                "be accepted without an error and have no effect",
                remedy="Leave it out; Ray Serve has neither authentication nor TLS, so keep the "
                "service inside the cluster or put a gateway in front of it",
                rule="engine-argument-front-end",
            )
        else:
            yield Problem(
                path=where,
                reason=f"is not an engine argument of vLLM {vllm_version}",
                remedy=f"{nearest(name, known)}Engine arguments keep vLLM's own names, with "
                "underscores",
                rule="engine-argument-unknown",
            )

    yield from _async_problems(context)
    yield from _exclusive_problems(context)


def _async_problems(context: EntryContext) -> Iterable[Problem]:
    """`async_scheduling: true` where the executor or the pipeline cannot run so."""
    if context.engine.get("async_scheduling") is not True or context.release is None:
        return
    release = context.release
    where = f"{context.path}.engine.async_scheduling"
    stages = context.engine.get("pipeline_parallel_size")
    if not vllm_behaviour(release.vllm).async_scheduling_on_ray:
        yield Problem(
            path=where,
            value=True,
            reason=f"is refused by vLLM {release.vllm} on Ray's executor, which Ray Serve sets",
            remedy="Leave it out",
            rule="engine-argument-choice",
        )
    elif (
        not vllm_behaviour(release.vllm).async_scheduling_of_pipelines
        and isinstance(stages, int)
        and stages > 1
    ):
        yield Problem(
            path=where,
            value=True,
            reason=f"does not go with {stages} pipeline stages in vLLM {release.vllm}",
            remedy="Leave it out, or use tensorParallelSize instead of pipeline_parallel_size",
            rule="engine-argument-choice",
        )


@cache
def _known(vllm_version: str) -> Mapping[str, EngineArgument]:
    return {**engine_arguments(vllm_version), **serving_arguments(vllm_version)}


def _type_problems(argument: EngineArgument, value: Any, where: str) -> Iterable[Problem]:
    if not _has_type(value, argument.types):
        wanted = " or ".join(_NAMES_OF_TYPES.get(kind, kind) for kind in argument.types)
        yield Problem(
            path=where,
            value="null" if value is None else f'"{value}"' if isinstance(value, str) else value,
            reason=f"is not {wanted}",
            remedy="Write it without quotes"
            if isinstance(value, str) and _NUMBER_OR_BOOLEAN.fullmatch(value)
            else f"Write {wanted}",
            rule="engine-argument-type",
        )
    elif argument.name in _RANGES and value is not None and not _is_in_range(argument, value):
        least, most = _RANGES[argument.name]
        yield Problem(
            path=where,
            value=value,
            reason=f"is below {least}" if value < least else f"is above {most}",
            remedy=f"Use a number from {least} to {most}, or leave {argument.name} out",
            rule="engine-argument-range",
        )
    elif argument.name == "gpu_memory_utilization" and not 0 < value <= 1:
        yield Problem(
            path=where,
            value=value,
            reason="is not a share of the GPU's memory",
            remedy="Use a number above 0 and up to 1, or leave it out (0.9)",
            rule="engine-argument-range",
        )
    elif argument.choices is not None and isinstance(value, str | int) and value is not None:
        if isinstance(value, bool) or value in argument.choices:
            return
        choices = [str(choice) for choice in argument.choices]
        yield Problem(
            path=where,
            value=value,
            reason=f"is not a value that vLLM accepts for {argument.name}",
            remedy=one_of(str(value), choices),
            rule="engine-argument-choice",
        )


def _bound_problems(vllm: str, name: str, value: Any, where: str) -> Iterable[Problem]:
    """A number that the configuration of this vLLM refuses."""
    limits = argument_bounds(vllm).get(name)
    if limits is None or isinstance(value, bool) or not isinstance(value, int | float):
        return
    if all(_HOLDS[limit](value, bound) for limit, bound in limits.items()):
        return
    accepted = " and ".join(f"{_WORDS[limit]} {bound:g}" for limit, bound in limits.items())
    yield Problem(
        path=where,
        value=value,
        reason=f"is not what vLLM {vllm} accepts for {name}, a number {accepted}",
        remedy=f"Use a number {accepted}, or leave {name} out",
        rule="engine-argument-range",
    )


_HOLDS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
}
_WORDS: Final[Mapping[str, str]] = {
    "ge": "of at least",
    "gt": "above",
    "le": "of at most",
    "lt": "below",
}


def _is_in_range(argument: EngineArgument, value: Any) -> bool:
    least, most = _RANGES[argument.name]
    return isinstance(value, int | float) and least <= value <= most


# Arguments of which vLLM refuses both: the short one, and the field of a configuration.
_EXCLUSIVE: Final = (
    ("attention_backend", "attention_config", "backend"),
    ("cudagraph_capture_sizes", "compilation_config", "cudagraph_capture_sizes"),
    ("enable_flashinfer_autotune", "kernel_config", "enable_flashinfer_autotune"),
    ("max_cudagraph_capture_size", "compilation_config", "max_cudagraph_capture_size"),
    ("spec_method", "speculative_config", "method"),
    ("spec_model", "speculative_config", "model"),
    ("spec_tokens", "speculative_config", "num_speculative_tokens"),
)


def _exclusive_problems(context: EntryContext) -> Iterable[Problem]:
    """EngineArgs.create_engine_config since vLLM 0.15: "are mutually exclusive"."""
    for name, argument, field in _EXCLUSIVE:
        config = context.engine.get(argument)
        if context.engine.get(name) is None or not isinstance(config, dict):
            continue
        if config.get(field) is not None:
            yield Problem(
                path=f"{context.path}.engine.{name}",
                value=context.engine[name],
                reason=f"excludes {argument}.{field}, which means the same",
                remedy="Keep one of the two",
                rule="contradiction",
            )


# Arguments whose annotation takes any text, and what closes their values.
_CLOSED: Final = ("attention_backend", "config_format", "load_format", "lora_dtype")
# Fields of configurations, and whose values they take.
_NESTED: Final = {
    "attention_config.backend": "attention_backend",
    "structured_outputs_config.backend": "structured_outputs_config.backend",
}
# Registries to which an own image can add values by a plugin of vLLM.
_REGISTRIES: Final = frozenset({"config_format", "load_format"})


def _closed_value_problems(
    context: EntryContext, name: str, value: Any, where: str
) -> Iterable[Problem]:
    """A text that a registry or a nested configuration of this vLLM refuses at start."""
    release = context.release
    if release is None or (name in _REGISTRIES and release.image != release.ray.image):
        return
    if name in _CLOSED:
        yield from _closed(release, name, value, where)
    elif isinstance(value, dict) and name != "speculative_config":
        yield from _fields(release, name, value, where)
        for path, closed_as in _NESTED.items():
            argument, _, key = path.partition(".")
            if argument == name:
                yield from _closed(release, closed_as, value.get(key), f"{where}.{key}")


def _fields(
    release: ReleasePlan, name: str, value: Mapping[str, Any], where: str
) -> Iterable[Problem]:
    """Fields that the configuration of an argument does not have in this release."""
    facts, fields = vllm_behaviour(release.vllm), closed_values(release.vllm).get(name)
    if name == "compilation_config" and value and not facts.compilation_config_readable:
        ray = nearest_ray(
            lambda row: vllm_behaviour(row.vllm).compilation_config_readable, release.ray.ray
        )
        yield Problem(
            path=where,
            reason=f"cannot be given to vLLM {release.vllm}, which reads a mapping as JSON "
            "text and fails",
            remedy="Leave it out" + (f", or use versions.ray: {ray}" if ray else ""),
            rule="engine-argument-choice",
        )
        return
    if fields is None:
        return
    refused = facts.refuses_fields_of(name)
    for field in value:
        if field in fields:
            continue
        ray = _ray_with(name, field, release)
        yield Problem(
            path=f"{where}.{field}",
            reason=f"is not a field of {name} in vLLM {release.vllm}"
            + ("" if refused else ", which drops it without a word"),
            remedy=f"{nearest(field, fields)}Leave it out"
            + (f", or use versions.ray: {ray}, whose vLLM has it" if ray else ""),
            rule="engine-argument-choice" if refused else "engine-argument-idle",
        )


def _ray_with(path: str, value: str, release: ReleasePlan) -> str | None:
    return nearest_ray(lambda row: value in closed_values(row.vllm).get(path, ()), release.ray.ray)


def _closed(release: ReleasePlan, path: str, value: Any, where: str) -> Iterable[Problem]:
    def accepts(vllm: str) -> bool:
        # vLLM folds case in both: load_format.lower(), AttentionBackendEnum[value.upper()].
        return value.lower() in map(str.lower, closed_values(vllm).get(path, ()))

    if not isinstance(value, str) or accepts(release.vllm):
        return
    values = sorted(closed_values(release.vllm)[path])
    ray = nearest_ray(lambda row: accepts(row.vllm), release.ray.ray)
    yield Problem(
        path=where,
        value=value,
        reason=f"is not a value that vLLM {release.vllm} accepts for {path}",
        remedy=one_of(value, values)
        + (f", or versions.ray: {ray}, whose vLLM has it" if ray else ""),
        rule="engine-argument-choice",
    )


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
