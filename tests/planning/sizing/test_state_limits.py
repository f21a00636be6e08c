"""A batch beyond the blocks for states: lowered if it is derived, reported by its place if not."""

from typing import Any

import pytest

from models.problems import StackError
from tests.planning.stacks import planned, stack

RULE = "state-blocks"


def problems(utilization: float, **engine: Any) -> tuple[str, ...]:
    entry = {
        "model": "qwen3.5-27b",
        "gpu": "a100-80gb",
        "engine": {"gpu_memory_utilization": utilization, **engine},
    }
    values = stack([entry], ["a100-80gb"], token=True, versions={"ray": "2.60.0"})
    try:
        found = planned(values).warnings
    except StackError as error:
        found = error.problems
    return tuple(problem.sentence() for problem in found if problem.rule == RULE)


def test_a_derived_batch_is_named_as_one_and_gets_a_key_to_set() -> None:
    (sentence,) = problems(0.69)
    assert sentence.startswith(
        "ray-llm:models[0]: a batch of 16 sequences may exceed the 28 blocks of KV cache that "
        "a100-80gb leaves,"
    )
    assert sentence.endswith("Use engine.max_num_seqs: 8. [state-blocks]")


def test_a_stated_batch_is_named_by_its_place() -> None:
    (sentence,) = problems(0.9, max_num_seqs=1024)
    assert sentence.startswith("ray-llm:models[0].engine.max_num_seqs: 1024 exceeds the 307 blocks")
    assert "Use at most 272, or " in sentence


@pytest.mark.parametrize("utilization", [0.68, 0.69, 0.7, 0.72, 0.8])
def test_what_is_derived_does_not_stop_itself(utilization: float) -> None:
    assert not any(" exceeds " in sentence for sentence in problems(utilization))
