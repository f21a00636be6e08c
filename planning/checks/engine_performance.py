"""Engine settings that work and cost: habits from guides that vLLM has outgrown. Warnings only."""

from collections.abc import Iterable, Mapping
from typing import Any

from models.problems import Problem, Severity
from planning.sizing.stated_arguments import StatedArguments


def performance_problems(
    arguments: StatedArguments, tensor_parallel_size: int, v0_engine: bool
) -> Iterable[Problem]:
    """What a model's engine would do better without."""
    yield from _batch(arguments)
    yield from _redundant(arguments.engine, arguments.path, tensor_parallel_size, v0_engine)


def _batch(arguments: StatedArguments) -> Iterable[Problem]:
    """A batch of one serialises requests: latency grows with each one that waits.

    https://docs.vllm.ai/en/latest/configuration/optimization.html
    """
    if arguments.get("max_num_seqs") == 1:
        yield _warning(
            arguments.path_of("max_num_seqs"),
            1,
            "answers one request after the other: each that waits adds its whole time, so under "
            "any load the latency is worse, not better",
            "Leave it out, or use profile: latency, which keeps steps short",
            "batch-of-one",
        )
    if arguments.get("enforce_eager") is True:
        yield _warning(
            arguments.path_of("enforce_eager"),
            True,
            "shortens the start and slows every token: without CUDA graphs small batches wait for "
            "the CPU",
            "Leave it out, or use profile: memory where the graphs' memory is needed",
            "eager-mode",
        )


def _redundant(
    engine: Mapping[str, Any], path: str, tensor_parallel_size: int, v0_engine: bool
) -> Iterable[Problem]:
    """Arguments that change nothing where they are: EngineArgs._set_default_args_v1, vLLM 0.10."""
    idle: dict[str, str] = {}
    if not v0_engine:
        idle["enable_prefix_caching"] = "is what the V1 engine does anyway"
        idle["enable_chunked_prefill"] = "is what the V1 engine does anyway"
    if tensor_parallel_size == 1:
        idle["disable_custom_all_reduce"] = "concerns GPUs that talk to each other, and the model "
        idle["disable_custom_all_reduce"] += "runs on one"
    for name, reason in idle.items():
        if engine.get(name) is True:
            yield _warning(
                f"{path}.engine.{name}", True, reason, "Leave it out", "engine-argument-idle"
            )


def _warning(path: str, value: object, reason: str, remedy: str, rule: str) -> Problem:
    return Problem(
        path=path,
        value=value,
        reason=reason,
        remedy=remedy,
        rule=rule,
        severity=Severity.WARN,
    )
