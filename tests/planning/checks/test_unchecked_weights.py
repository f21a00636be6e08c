"""`checkFit: false` takes the estimate of memory back, and nothing that is known without it."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.catalog import llms
from models.reading import read_stack
from planning import Plan, make_plan
from tests.planning.small_stacks import planned, rules, stops, values

UNCHECKED = {"source": "acme/custom", "checkFit": False, "contextLength": 8192}


def entry(gpu: str = "l4", **fields: Any) -> dict[str, Any]:
    return {**UNCHECKED, "gpu": gpu, **fields}


def test_given_weights_that_exceed_the_gpu_stop() -> None:
    (problem,) = stops([entry(weightGib=51.8)], gpuPools=["l4"])
    assert problem.rule == "memory-fit"
    assert "checkFit: false does not make room" in problem.sentence()


def test_the_offered_degree_is_accepted() -> None:
    (problem,) = stops([entry("l4-x4", weightGib=51.8)], gpuPools=["l4-x4"])
    assert "Use tensorParallelSize: 4" in problem.sentence()
    planned([entry("l4-x4", weightGib=51.8, tensorParallelSize=4)], gpuPools=["l4-x4"])


def test_the_offered_pool_is_accepted() -> None:
    (problem,) = stops([entry(weightGib=51.8)], gpuPools=["l4"])
    assert (
        "Use gpu: l4-x4 with `- l4-x4` in ray-llm:gpuPools and tensorParallelSize: 4"
        in problem.sentence()
    )
    moved = entry("l4-x4", weightGib=51.8, tensorParallelSize=4)
    planned([moved], gpuPools=["l4", "l4-x4"])


def test_a_model_of_the_catalogue_is_no_exception() -> None:
    model = {"model": "qwen2.5-32b-instruct", "gpu": "l4", "checkFit": False}
    assert rules(stops([model], gpuPools=["l4"])) == {"memory-fit"}


@pytest.mark.parametrize(
    "fields",
    [
        {"weightGib": 19},  # less than the estimate needs; that is what was turned off
        {"weightGib": 51.8, "quantization": "fp8"},  # may be quantized while it loads
        {"weightGib": 30, "engine": {"cpu_offload_gb": 12}},
        {},
    ],
)
def test_what_may_work_is_not_stopped(fields: dict[str, Any]) -> None:
    planned([entry(**fields)], gpuPools=["l4"])


def test_given_weights_are_compared_with_the_disk() -> None:
    pools = [{"tier": "l4-x8", "bootDiskGb": 100}]
    model = entry("l4-x8", weightGib=80, tensorParallelSize=8)
    assert rules(stops([model], gpuPools=pools)) == {"boot-disk"}


def test_a_config_json_without_a_size_is_still_read(tmp_path: Path) -> None:
    config = {
        **llms()["gemma-2-2b-it"].architecture.model_dump(include={"hidden_size"}),
        "architectures": ["Gemma2ForCausalLM"],
        "model_type": "gemma2",
        "num_hidden_layers": 26,
        "intermediate_size": 9216,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 256000,
        "max_position_embeddings": 8192,
        "sliding_window": 4096,
        "torch_dtype": "bfloat16",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    def plan(**fields: Any) -> Plan:
        model = entry("t4", configFile="config.json", **fields)
        source = values([model], gpuPools=["t4"])
        return make_plan(read_stack("test", source, directory=tmp_path))

    with pytest.raises(Exception, match="would run in float16"):
        plan()
    (tmp_path / "config.json").write_text("{}")
    assert plan().models[0].fit is None
