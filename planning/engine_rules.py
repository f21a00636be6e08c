"""The rules about engine arguments, brought together: before a model is placed, and after."""

from collections.abc import Iterable, Mapping
from typing import Any

from models.errors import Problem
from planning.checkpoints import Checkpoint
from planning.engine_habits import habit_problems
from planning.host_memory import host_memory_problems
from planning.lora import lora_problems
from planning.model_arguments import model_argument_problems
from planning.plan import ModelPlan, PoolPlan
from planning.rope_scaling import rope_scaling_problems
from planning.speculative_decoding import speculative_engine_problems, speculative_problems
from planning.statements import Statements


def engine_problems(
    engine: Mapping[str, Any], checkpoint: Checkpoint, place: str, vllm: str
) -> Iterable[Problem]:
    """Arguments that contradict one another or the model, whatever the GPU."""
    yield from lora_problems(engine, place, vllm)
    yield from rope_scaling_problems(engine, place)
    yield from speculative_problems(engine, place, vllm)
    yield from model_argument_problems(engine, checkpoint.architecture, place)


def placed_engine_problems(said: Statements, model: ModelPlan, pool: PoolPlan) -> Iterable[Problem]:
    """Arguments that do not go with the engine, the GPUs or the node that a model got."""
    yield from speculative_engine_problems(said.engine, said.place, model.v0_engine)
    yield from host_memory_problems(said.engine, model.gpus_per_replica, pool, said.place)
    yield from habit_problems(said, model.tensor_parallel_size, model.v0_engine)
