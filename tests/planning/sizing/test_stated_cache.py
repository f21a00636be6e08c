"""A stated KV cache replaces the share of the GPU's memory; the values that messages offer work."""

import re
from typing import Any

import pytest

from models.problems import Problem
from planning.plan import GIB, MemoryFit
from tests.planning.small_stacks import planned, rules, stops

RAY = {"ray": "2.55.1"}
MODEL = "qwen3-1.7b"


def entry(engine: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "gpu": "l4", "contextLength": 32768, "engine": engine, **fields}


def fit(engine: dict[str, Any], ray: str = "2.55.1", **fields: Any) -> MemoryFit:
    model = entry(engine, **fields)
    found = planned([model], gpuPools=[model["gpu"]], versions={"ray": ray}).models[0].fit
    assert found is not None
    return found


def refused(engine: dict[str, Any]) -> Problem:
    (problem,) = stops([entry(engine)], gpuPools=["l4"], versions=RAY)
    return problem


def test_stated_bytes_are_what_is_left() -> None:
    stated = fit({"kv_cache_memory_bytes": 4 * GIB})
    assert stated.kv_available_bytes == 4 * GIB
    assert stated.concurrent_sequences == pytest.approx(4 * GIB / stated.kv_per_sequence_bytes)


def test_stated_bytes_make_the_share_of_memory_irrelevant() -> None:
    low = {"kv_cache_memory_bytes": 4 * GIB, "gpu_memory_utilization": 0.5}
    assert fit(low).kv_available_bytes == fit({"kv_cache_memory_bytes": 4 * GIB}).kv_available_bytes


def test_blocks_win_over_bytes_and_one_block_is_never_given_out() -> None:
    both = {"kv_cache_memory_bytes": 4 * GIB, "num_gpu_blocks_override": 2049}
    assert fit(both).kv_available_bytes == fit(both).kv_per_sequence_bytes


def test_a_larger_block_needs_fewer_of_them() -> None:
    stated = fit({"block_size": 64, "num_gpu_blocks_override": 513})
    assert stated.kv_available_bytes == stated.kv_per_sequence_bytes


def test_the_v0_engine_does_not_know_the_bytes() -> None:
    model = {"gpu": "t4", "contextLength": 2048}
    blocks = fit({"num_gpu_blocks_override": 128}, ray="2.49.1", **model)
    assert blocks.kv_available_bytes == blocks.kv_per_sequence_bytes


@pytest.mark.parametrize(
    "engine",
    [
        {"kv_cache_memory_bytes": 2 * GIB},
        {"num_gpu_blocks_override": 1000},
        {"num_gpu_blocks_override": 1},
        {"kv_cache_memory_bytes": 23 * GIB},
        {"num_gpu_blocks_override": 20_000},
    ],
)
def test_the_offered_value_is_accepted_and_the_next_one_is_not(engine: dict[str, Any]) -> None:
    (name,) = engine
    problem = refused(engine)
    assert problem.rule == "kv-cache-size"
    found = re.search(r"[Uu]se at (least|most) (\d+)", problem.sentence())
    assert found is not None
    value, step = int(found[2]), 1 if name == "num_gpu_blocks_override" else 1024**2
    plan = planned([entry({name: value})], gpuPools=["l4"], versions=RAY)
    assert "kv-cache-size" not in rules(plan.warnings)
    if found[1] == "least":
        assert refused({name: value - step}).rule == "kv-cache-size"
    else:
        beyond = planned([entry({name: value + 2 * step})], gpuPools=["l4"], versions=RAY)
        assert "kv-cache-size" in rules(beyond.warnings)


def test_a_cache_is_not_left_out_if_that_would_not_fit_either() -> None:
    engine = {"kv_cache_memory_bytes": GIB, "gpu_memory_utilization": 0.2}
    assert "leave it out" not in refused(engine).sentence().lower()
    assert "leave it out" in refused({"kv_cache_memory_bytes": GIB}).sentence().lower()
