"""An engine argument whose effect on GPU memory is not computed is named in a doubt."""

from typing import Any

import pytest

from tests.planning.small_stacks import planned


def doubts(ray: str = "2.60.0", **engine: Any) -> list[str]:
    entry = {"model": "qwen2.5-0.5b-instruct", "contextLength": 4096, "engine": engine}
    plan = planned([entry], gpuPools=["l4"], versions={"ray": ray})
    return [problem.path for problem in plan.warnings if problem.rule == "memory-doubt"]


@pytest.mark.parametrize(
    "engine",
    [
        {"enable_sleep_mode": True},
        {"attention_backend": "FLASHINFER"},
        {"optimization_level": 0},
        {"kv_transfer_config": {"kv_connector": "LMCacheConnectorV1", "kv_role": "kv_both"}},
        {"hf_overrides": {"num_hidden_layers": 4}},
    ],
)
def test_an_argument_that_changes_memory_is_named(engine: dict[str, Any]) -> None:
    (name,) = engine
    assert doubts(**engine) == [f"ray-llm:models[0].engine.{name}"]


@pytest.mark.parametrize(
    "engine",
    [
        {},
        {"enable_sleep_mode": False},
        {"attention_backend": "auto"},
        {"optimization_level": 2},
        {"runner": "generate"},
        {"kv_offloading_size": None},
        {"kv_transfer_config": None},
        {"hf_overrides": {"max_position_embeddings": 8192}},
        {"seed": 7, "max_num_seqs": 32, "scheduling_policy": "priority"},
    ],
)
def test_one_that_changes_none_is_not(engine: dict[str, Any]) -> None:
    assert doubts(**engine) == []
