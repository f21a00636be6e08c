"""Values of engine arguments that have the right type and that vLLM refuses when it starts.

The type of an argument is often wider than what its release takes: a registry, a nested
configuration or the limits of a field close it. All of that is read from the release's source.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from models.catalog import (
    argument_bounds,
    argument_needs,
    closed_values,
    engine_arguments,
    nearest_ray,
    vllm_behaviour,
)
from models.problems import Problem
from models.spelling import accepted, nearest
from models.values_meant import ways_from_field, ways_from_value, ways_to_release
from models.ways_out import leave_out, outside, use
from planning.checks.contexts import EntryContext
from planning.plan import ReleasePlan
from planning.sizing.rope_scaling import rope_scaling_of

# The least and the most that planning can compute with, or that vLLM accepts.
_LARGEST_COUNT: Final = 1_000_000_000
_LARGEST_BYTES: Final = 10**15
_COUNT: Final = (1, _LARGEST_COUNT)
_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "block_size": _COUNT,
    "cpu_offload_gb": (0, _LARGEST_COUNT),
    "kv_cache_memory_bytes": (1, _LARGEST_BYTES),
    "max_cudagraph_capture_size": _COUNT,
    "max_long_partial_prefills": _COUNT,
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


def engine_argument_value_problems(context: EntryContext) -> Iterable[Problem]:
    """Numbers, texts and mappings that this vLLM refuses, one by one and together."""
    if context.release is None:
        return
    for name, value in context.engine.items():
        where = f"{context.path}.engine.{name}"
        yield from _number_problems(context.release.vllm, name, value, where)
        yield from _closed_value_problems(context.release, name, value, where)
    yield from _needs_problems(context, context.release.vllm)
    yield from _mamba_block_problems(context, context.release.vllm)
    yield from _graph_problems(context)
    yield from _partial_prefill_problems(context)
    yield from _window_problems(context)
    yield from _async_problems(context)
    yield from _exclusive_problems(context)


def _number_problems(vllm: str, name: str, value: Any, where: str) -> Iterable[Problem]:
    """A number out of range, for planning or for the configuration of this vLLM."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if name in _RANGES and not _RANGES[name][0] <= value <= _RANGES[name][1]:
        least, most = _RANGES[name]
        yield Problem(
            path=where,
            value=value,
            reason=f"is below {least}" if value < least else f"is above {most}",
            remedy=f"Use a number from {least} to {most}",
            rule="engine-argument-range",
            candidates=(leave_out(where, f"leave {name} out"),),
        )
    elif name == "gpu_memory_utilization" and not 0 < value <= 1:
        yield Problem(
            path=where,
            value=value,
            reason="is not a share of the GPU's memory",
            remedy="Use a number above 0 and up to 1",
            rule="engine-argument-range",
            candidates=(leave_out(where, "leave it out (0.9)"),),
        )
    else:
        yield from bound_problems(vllm, name, value, where)


def bound_problems(vllm: str, name: str, value: float, where: str) -> Iterable[Problem]:
    """A number that the configuration of this vLLM refuses, by the argument or its field's path."""
    limits = argument_bounds(vllm).get(name)
    if limits is None or all(_HOLDS[limit](value, bound) for limit, bound in limits.items()):
        return
    range_ = " and ".join(f"{_WORDS[limit]} {bound:g}" for limit, bound in limits.items())
    yield Problem(
        path=where,
        value=value,
        reason=f"is not what vLLM {vllm} accepts for {name}, a number {range_}",
        remedy=f"Use a number {range_}",
        rule="engine-argument-range",
        candidates=(leave_out(where, f"leave {name} out"),),
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


def _needs_problems(context: EntryContext, vllm: str) -> Iterable[Problem]:
    """An argument that vLLM refuses unless another one says something."""
    engine, known = context.engine, engine_arguments(vllm)
    for need in argument_needs():
        value = engine.get(need.argument)
        if value is None or need.argument not in known or not need.asked_by(value):
            continue
        other = need.missing(engine)
        if other is None:
            continue
        where, enough = f"{context.path}.engine.{need.argument}", need.needs[other]
        wanted = " or ".join(str(known_value).lower() for known_value in enough)
        yield Problem(
            path=where,
            value=value,
            reason=f"is refused by vLLM {vllm} without {other}" + (f": {wanted}" if wanted else ""),
            remedy="Leave it out",
            rule="engine-argument-needs",
            candidates=(
                leave_out(where, "leave it out"),
                *(use(f"{context.path}.engine.{other}", each) for each in enough[:1]),
            ),
        )


def _mamba_block_problems(context: EntryContext, vllm: str) -> Iterable[Problem]:
    """VllmConfig.validate_mamba_block_size: a block of states is cached only with prefixes.

    The block of a whole context is what vLLM takes without prefix caching, and passes.
    """
    engine, architecture = context.engine, context.architecture
    size, caching = engine.get("mamba_block_size"), engine.get("enable_prefix_caching")
    if size is None or "mamba_block_size" not in engine_arguments(vllm):
        return
    has_states = architecture is not None and architecture.state_layers is not None
    by_default = not has_states or vllm_behaviour(vllm).state_cache_modes["default"] is not None
    lengths = (context.deployment.context_length, engine.get("max_model_len"))
    if caching is True or (caching is None and by_default) or size in lengths:
        return
    where = f"{context.path}.engine.mamba_block_size"
    yield Problem(
        path=where,
        value=size,
        reason=f"is refused by vLLM {vllm} without prefix caching, which is off "
        + ("here" if caching is False else "for this model if nothing is said"),
        remedy="Leave it out",
        rule="engine-argument-needs",
        candidates=(
            leave_out(where, "leave it out"),
            use(f"{context.path}.engine.enable_prefix_caching", True),
        ),
    )


def _graph_problems(context: EntryContext) -> Iterable[Problem]:
    """VllmConfig._set_cudagraph_sizes: the largest listed batch is the largest captured one."""
    sizes = context.engine.get("cudagraph_capture_sizes")
    largest = context.engine.get("max_cudagraph_capture_size")
    if not isinstance(sizes, list) or not isinstance(largest, int):
        return
    numbers = [size for size in sizes if isinstance(size, int)]
    if numbers and max(numbers) != largest:
        where = f"{context.path}.engine.max_cudagraph_capture_size"
        yield Problem(
            path=where,
            value=largest,
            reason=f"contradicts cudagraph_capture_sizes, whose largest is {max(numbers)}",
            remedy="Keep one of the two",
            rule="contradiction",
            candidates=(
                leave_out(where),
                leave_out(f"{context.path}.engine.cudagraph_capture_sizes"),
            ),
        )


def _partial_prefill_problems(context: EntryContext) -> Iterable[Problem]:
    """SchedulerConfig: of the prompts that are read in parts at once, so many may be long."""
    long, all_ = (
        context.engine.get(name, 1)
        for name in ("max_long_partial_prefills", "max_num_partial_prefills")
    )
    if not isinstance(long, int) or not isinstance(all_, int) or long <= max(all_, 1):
        return
    where = f"{context.path}.engine.max_long_partial_prefills"
    yield Problem(
        path=where,
        value=long,
        reason=f"is above max_num_partial_prefills, which is {all_}",
        remedy=f"Use at most {all_}",
        rule="engine-argument-range",
        candidates=(
            leave_out(where, "leave it out"),
            use(f"{context.path}.engine.max_num_partial_prefills", long),
        ),
    )


# _get_and_verify_max_len in vLLM 0.10 scales the context by all types of RoPE scaling but these.
_UNSCALED: Final = frozenset({"su", "longrope", "llama3"})


def _window_problems(context: EntryContext) -> Iterable[Problem]:
    """`disable_sliding_window: true` for a model whose RoPE is scaled."""
    architecture, release = context.architecture, context.release
    if (
        architecture is None
        or release is None
        or context.engine.get("disable_sliding_window") is not True
        or "gemma3" in architecture.model_type
        or vllm_behaviour(release.vllm).disabled_windows_of_scaled_rope
    ):
        return
    scaling = rope_scaling_of(context.engine) or architecture.rope_scaling or {}
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind is None or kind in _UNSCALED:
        return
    where = f"{context.path}.engine.disable_sliding_window"
    yield Problem(
        path=where,
        value=True,
        reason=f"is refused by vLLM {release.vllm} for a model with RoPE scaling, here {kind}",
        remedy="Leave it out",
        rule="engine-argument-choice",
        candidates=(leave_out(where, "leave it out"),),
    )


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
            candidates=(leave_out(where, "leave it out"),),
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
            candidates=(
                leave_out(where, "leave it out"),
                outside("use tensorParallelSize instead of pipeline_parallel_size"),
            ),
        )


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
                candidates=(
                    leave_out(f"{context.path}.engine.{name}"),
                    leave_out(f"{context.path}.engine.{argument}.{field}"),
                ),
            )


# Arguments whose annotation takes any text, and what closes their values.
_CLOSED: Final = ("attention_backend", "config_format", "load_format", "lora_dtype")
# Registries to which an own image can add values by a plugin of vLLM.
_REGISTRIES: Final = frozenset({"config_format", "load_format"})


def _closed_value_problems(
    release: ReleasePlan, name: str, value: Any, where: str
) -> Iterable[Problem]:
    """A text that a registry or a nested configuration of this vLLM refuses at start."""
    if name in _REGISTRIES and release.image_is_own:
        return
    if name in _CLOSED:
        yield from _closed(release, name, value, where)
    elif name == "compilation_config" and value and not _reads_compilation(release.vllm):
        ray = nearest_ray(lambda row: _reads_compilation(row.vllm), release.ray.ray)
        yield Problem(
            path=where,
            value=value,
            reason=f"cannot be given to vLLM {release.vllm}, which reads it as JSON text and fails",
            remedy="Leave it out",
            rule="engine-argument-choice",
            candidates=(leave_out(where, "leave it out"), *ways_to_release(ray)),
        )
    elif isinstance(value, dict) and name != "speculative_config":
        yield from _fields(release, name, value, where)


def _fields(
    release: ReleasePlan, name: str, value: Mapping[str, Any], where: str
) -> Iterable[Problem]:
    """Fields that the configuration of an argument does not have in this release."""
    facts, fields = vllm_behaviour(release.vllm), closed_values(release.vllm).get(name)
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
            remedy=f"{nearest(field, fields)}Leave it out",
            rule="engine-argument-choice" if refused else "engine-argument-idle",
            candidates=ways_from_field(f"{where}.{field}", field, fields, ray),
        )


def _reads_compilation(vllm: str) -> bool:
    return vllm_behaviour(vllm).compilation_config_readable


def _ray_with(path: str, value: str, release: ReleasePlan) -> str | None:
    return nearest_ray(lambda row: value in closed_values(row.vllm).get(path, ()), release.ray.ray)


def _closed(release: ReleasePlan, path: str, value: Any, where: str) -> Iterable[Problem]:
    def accepts(vllm: str) -> bool:
        # vLLM folds case in both: load_format.lower(), AttentionBackendEnum[value.upper()].
        return value.lower() in map(str.lower, closed_values(vllm).get(path, ()))

    values = sorted(closed_values(release.vllm).get(path, ()))
    if not isinstance(value, str) or not values or accepts(release.vllm):
        return
    ray = nearest_ray(lambda row: accepts(row.vllm), release.ray.ray)
    yield Problem(
        path=where,
        value=value,
        reason=f"is not a value that vLLM {release.vllm} accepts for {path}",
        remedy=accepted(value, values),
        rule="engine-argument-choice",
        candidates=ways_from_value(where, value, values, ray),
    )
