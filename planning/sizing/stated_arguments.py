"""What a stack file states about one model, wherever it states it.

A decision may be stated by a key of the model (`contextLength`), by the vLLM engine argument of
the same meaning (`engine.max_model_len`), or not at all. Here both become one `Statement` with
its place, so that the rules after it need not care, and a contradiction is found once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from models.problems import Problem
from models.stack import ENGINE_ARGUMENT_OF_KEY, ModelDeployment

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


@dataclass(frozen=True, kw_only=True)
class StatedArgument:
    """One value that the user wrote, and where."""

    value: Any
    path: str


@dataclass(frozen=True, kw_only=True)
class StatedArguments:
    """All that a stack file states about one model's engine.

    path: the model's place in the file, `ray-llm:models[2]`.
    """

    path: str
    by_argument: Mapping[str, StatedArgument]
    engine: Mapping[str, Any]

    def get(self, argument: str) -> Any:
        """The stated value of an engine argument, None where nothing is stated."""
        statement = self.by_argument.get(argument)
        return None if statement is None else statement.value

    def path_of(self, argument: str) -> str:
        """Where the argument is stated; the model itself where it is derived."""
        statement = self.by_argument.get(argument)
        return self.path if statement is None else statement.path


def stated_arguments(
    deployment: ModelDeployment, path: str
) -> tuple[StatedArguments, tuple[Problem, ...]]:
    """The statements of one model, and contradictions between a key and its engine argument."""
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
        argument: value for argument, value in deployment.engine.items() if argument not in DECIDED
    }
    return StatedArguments(path=path, by_argument=by_argument, engine=passed_on), problems


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
            )
