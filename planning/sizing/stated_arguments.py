"""What a stack file states about one model, by a key or by an engine argument.

A decision may be stated by a key of the model (`contextLength`), by the vLLM engine argument of
the same meaning (`engine.max_model_len`), or not at all. Here both become one
`StatedArgument` with its path, so that later rules need not distinguish them and a contradiction is
found once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from models.problems import Problem
from models.stack import ENGINE_ARGUMENT_OF_KEY, ModelDeployment
from models.ways_out import leave_out

# Engine arguments that planning decides; the rest pass through untouched.
DECIDED: Final = frozenset(
    {
        *ENGINE_ARGUMENT_OF_KEY.values(),
        "pipeline_parallel_size",
        "gpu_memory_utilization",
        "max_num_seqs",
        "max_num_batched_tokens",
        "enforce_eager",
    }
)


ADAPTERS_AT_ONCE: Final = 4
# max_num_adapters_per_replica of Ray's LoraConfig, if nothing is said.
ADAPTERS_ON_HOST: Final = 16


def hf_overrides(engine: Mapping[str, Any]) -> Mapping[str, Any]:
    """The overrides of config.json among engine arguments; empty if there are none to read."""
    overrides = engine.get("hf_overrides")
    return overrides if isinstance(overrides, Mapping) else {}


@dataclass(frozen=True, kw_only=True)
class StatedArgument:
    """One value that the user wrote, and its path in the file."""

    value: Any
    path: str


@dataclass(frozen=True, kw_only=True)
class StatedArguments:
    """All that a stack file states about one model's engine.

    path: the model's path in the file, `ray-llm:models[2]`.
    """

    path: str
    by_argument: Mapping[str, StatedArgument]
    engine: Mapping[str, Any]

    def get(self, argument: str) -> Any:
        """The stated value of an engine argument, None if it is not stated."""
        statement = self.by_argument.get(argument)
        return None if statement is None else statement.value

    def path_of(self, argument: str) -> str:
        """The path at which the argument is stated; that of the model if it is derived."""
        statement = self.by_argument.get(argument)
        return self.path if statement is None else statement.path

    def path_to_set(self, argument: str) -> str:
        """The path at which the argument is stated, or else could be."""
        statement = self.by_argument.get(argument)
        if statement is not None:
            return statement.path
        key = next((key for key, name in ENGINE_ARGUMENT_OF_KEY.items() if name == argument), None)
        return f"{self.path}.{key or f'engine.{argument}'}"


def stated_arguments(
    deployment: ModelDeployment, path: str
) -> tuple[StatedArguments, tuple[Problem, ...]]:
    """What one model states, and contradictions between a key and its engine argument."""
    by_key = deployment.stated_by_key
    by_argument: dict[str, StatedArgument] = {
        argument: StatedArgument(
            value=deployment.engine[argument], path=f"{path}.engine.{argument}"
        )
        for argument in deployment.engine
        if argument in DECIDED and deployment.engine[argument] is not None
    }
    problems = tuple(_contradictions(by_key, by_argument, path))
    for key, argument in ENGINE_ARGUMENT_OF_KEY.items():
        if by_key[key] is not None:
            by_argument[argument] = StatedArgument(value=by_key[key], path=f"{path}.{key}")
    passed_on = {
        **_for_adapters(deployment),
        **{name: value for name, value in deployment.engine.items() if name not in DECIDED},
    }
    return StatedArguments(path=path, by_argument=by_argument, engine=passed_on), problems


def _for_adapters(deployment: ModelDeployment) -> Mapping[str, Any]:
    """What LoRA adapters in a bucket need of the engine, where the entry does not say otherwise.

    vLLM's own max_loras is 1, with which requests for two adapters never share a step. It keeps
    max_cpu_loras adapters in the host's memory, and Ray as many on the disk of a replica.
    """
    if deployment.lora is None:
        return {}
    stated = deployment.engine.get("max_loras")
    at_once = stated if isinstance(stated, int) else ADAPTERS_AT_ONCE
    return {
        "enable_lora": True,
        "max_loras": at_once,
        "max_cpu_loras": max(ADAPTERS_ON_HOST, at_once),
    }


def _contradictions(
    by_key: Mapping[str, Any], by_argument: Mapping[str, StatedArgument], path: str
) -> Iterable[Problem]:
    for key, argument in ENGINE_ARGUMENT_OF_KEY.items():
        value, statement = by_key[key], by_argument.get(argument)
        if value is not None and statement is not None and statement.value != value:
            yield Problem(
                path=f"{path}.{key}",
                value=value,
                reason=f"contradicts engine.{argument}, which is {statement.value}",
                remedy="Keep one of the two",
                rule="contradiction",
                candidates=(
                    leave_out(statement.path),
                    leave_out(f"{path}.{key}"),
                ),
            )
