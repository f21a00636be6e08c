"""What a release of vLLM does with models that keep states, where it depends on the release."""

import pytest

from models.problems import StackError
from tests.planning.small_stacks import planned, rules, stops

A100S = {"tier": "a100-80gb-x8", "maxNodes": 4}


@pytest.mark.parametrize("ray", ["2.49.1", "2.51.2"])
def test_layers_of_experts_stop_where_the_class_has_none(ray: str) -> None:
    entry = {"model": "nemotron-3-nano-30b-a3b", "gpu": "a100-80gb-x8"}
    found = stops([entry], gpuPools=[A100S], versions={"ray": ray})
    assert "architecture-unsupported" in rules(found)


def test_layers_of_experts_plan_where_the_class_has_them() -> None:
    entry = {"model": "nemotron-3-nano-30b-a3b", "gpu": "a100-80gb-x8"}
    assert planned([entry], gpuPools=[A100S], versions={"ray": "2.54.1"}).models


@pytest.mark.parametrize(("ray", "idle"), [("2.55.1", False), ("2.60.0", True)])
def test_prefix_caching_is_said_to_be_on_only_where_it_is(ray: str, idle: bool) -> None:
    entry = {
        "model": "nemotron-h-56b-base-8k",
        "gpu": "a100-80gb-x8",
        "engine": {"enable_prefix_caching": True},
    }
    plan = planned([entry], gpuPools=[A100S], versions={"ray": ray})
    assert ("engine-argument-idle" in rules(plan.warnings)) is idle


def test_a_scaling_for_the_text_part_of_a_model_with_images_stretches_its_context() -> None:
    scaling = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 262144}
    parameters = {**scaling, "rope_theta": 10_000_000}
    entry = {
        "model": "qwen3.5-27b",
        "gpu": "a100-80gb-x8",
        "contextLength": 524288,
        "engine": {"hf_overrides": {"text_config": {"rope_parameters": parameters}}},
    }
    plan = planned([entry], gpuPools=[A100S], versions={"ray": "2.60.0"})
    assert plan.models[0].max_model_len == 524288


def _mamba_block(ray: str, model: str, **engine: object) -> list[str]:
    entry = {
        "model": model,
        "gpu": "a100-80gb-x8",
        "contextLength": 8192,
        "engine": {"mamba_block_size": 64, **engine},
    }
    try:
        planned([entry], gpuPools=[A100S], versions={"ray": ray})
    except StackError as error:
        return [one.reason for one in error.problems if one.rule == "engine-argument-needs"]
    return []


def test_a_block_of_states_stops_where_prefix_caching_is_off() -> None:
    states, text = "nemotron-h-56b-base-8k", "qwen2.5-7b-instruct"
    (reason,) = _mamba_block("2.55.1", states)
    assert "off for this model if nothing is said" in reason
    assert not _mamba_block("2.60.0", states)
    assert not _mamba_block("2.55.1", text)
    assert "off here" in _mamba_block("2.55.1", text, enable_prefix_caching=False)[0]
    assert not _mamba_block("2.55.1", text, enable_prefix_caching=True)
    assert not _mamba_block("2.60.0", text, enable_prefix_caching=False, mamba_block_size=8192)
