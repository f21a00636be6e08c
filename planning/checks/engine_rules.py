"""The rules about engine arguments, brought together: before a model is placed, and after."""

from collections.abc import Iterable, Mapping
from typing import Any

from models.problems import Problem
from planning.checks.engine_performance import performance_problems
from planning.checks.host_resources import host_memory_problems
from planning.checks.lora import lora_problems
from planning.checks.model_capabilities import model_argument_problems
from planning.checks.speculative_decoding import speculative_engine_problems, speculative_problems
from planning.plan import ModelPlan, PoolPlan
from planning.sizing.checkpoint import Checkpoint
from planning.sizing.rope_scaling import rope_scaling_problems
from planning.sizing.stated_arguments import StatedArguments


def engine_problems(
    engine: Mapping[str, Any], checkpoint: Checkpoint, path: str, vllm: str
) -> Iterable[Problem]:
    """Arguments that contradict one another or the model, whatever the GPU."""
    yield from lora_problems(engine, path, vllm)
    yield from rope_scaling_problems(engine, path, vllm)
    yield from speculative_problems(engine, path, vllm)
    yield from model_argument_problems(engine, checkpoint.architecture, path, vllm)


def placed_engine_problems(
    arguments: StatedArguments, model: ModelPlan, pool: PoolPlan
) -> Iterable[Problem]:
    """Arguments that do not go with the engine, the GPUs or the node that a model got."""
    yield from speculative_engine_problems(arguments.engine, arguments.path, model.v0_engine)
    yield from host_memory_problems(arguments.engine, model.gpus_per_replica, pool, arguments.path)
    yield from performance_problems(arguments, model.tensor_parallel_size, model.v0_engine)
