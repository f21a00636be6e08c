"""Which engine of vLLM runs, and what the plan asks it for."""

from typing import Any

import pytest

from models.catalog import llms
from planning.plan import ModelPlan
from planning.sizing import checkpoint
from tests.planning.small_stacks import planned, rules, stops


def on(gpu: str, model: str = "qwen2.5-0.5b-instruct", ray: str = "2.49.1", **engine: Any) -> Any:
    entry = {"model": model, "gpu": gpu, "gated": False, "contextLength": 4096, "engine": engine}
    return planned([entry], gpuPools=[gpu], versions={"ray": ray})


def model_on(gpu: str, model: str = "qwen2.5-0.5b-instruct", **engine: Any) -> ModelPlan:
    plan: ModelPlan = on(gpu, model, **engine).models[0]
    return plan


def test_v0_is_asked_for_prefix_caching_where_no_window_is_stated() -> None:
    assert model_on("t4").asks_prefix_caching
    assert not model_on("l4").asks_prefix_caching  # V1 has it on by itself


@pytest.mark.parametrize("model", ["phi-3.5-mini-instruct", "phi-3-mini-4k-instruct"])
def test_a_window_in_config_json_forbids_prefix_caching_on_v0(model: str) -> None:
    small = {"kv_cache_dtype": "fp8"}  # on an L4 this moves vLLM 0.10 to V0
    plan = model_on("l4", model, **small)
    assert (plan.v0_engine, plan.asks_prefix_caching) == (True, False)
    disabled = {"disable_sliding_window": True, "max_model_len": 2047}
    entry = {"model": model, "gpu": "l4", "engine": {**small, **disabled}}
    older = {"gpuPools": ["l4"], "versions": {"ray": "2.49.1"}}
    assert planned([entry], **older).models[0].asks_prefix_caching


def test_a_window_that_no_layer_reaches_stops_prefix_caching_on_v0() -> None:
    def with_caching(model: str) -> set[str]:
        entry = {"model": model, "gpu": "t4", "engine": {"enable_prefix_caching": True}}
        found = stops([entry], gpuPools=["t4"], versions={"ray": "2.49.1"})
        return rules(found)

    assert "prefix-caching-window" in with_caching("phi-3.5-mini-instruct")


def test_v0_is_not_asked_for_prefix_caching_by_a_hash_that_it_lacks() -> None:
    plan = on("t4", prefix_caching_hash_algo="sha256")
    assert not plan.models[0].asks_prefix_caching
    assert "prefix-caching-hash" in rules(plan.warnings)
    for engine in ({"enable_prefix_caching": False}, {}):
        gpu = "t4" if engine else "l4"
        quiet = on(gpu, prefix_caching_hash_algo="sha256", **engine)
        assert "prefix-caching-hash" not in rules(quiet.warnings)
    both = {"prefix_caching_hash_algo": "sha256", "enable_prefix_caching": True}
    entry = {"model": "qwen2.5-0.5b-instruct", "gpu": "t4", "contextLength": 4096, "engine": both}
    found = stops([entry], gpuPools=["t4"], versions={"ray": "2.49.1"})
    assert rules(found) == {"prefix-caching-hash"}


@pytest.mark.parametrize("kv_cache_dtype", ["fp8", "fp8_e4m3", "fp8_e5m2"])
@pytest.mark.parametrize("ray", ["2.54.1", "2.60.0"])
def test_flashinfer_reads_an_fp8_cache_on_an_a100(ray: str, kv_cache_dtype: str) -> None:
    plan = on("a100-80gb", ray=ray, kv_cache_dtype=kv_cache_dtype)
    assert "fp8-kv-capability" in rules(plan.warnings)


@pytest.mark.parametrize(
    ("gpu", "model", "ray", "kv_cache_dtype"),
    [
        ("a100-80gb", "phi-3.5-mini-instruct", "2.60.0", "fp8"),  # heads of 96
        ("a100-80gb", "deepseek-v2-lite-chat", "2.60.0", "fp8"),  # MLA
        ("a100-80gb", "gpt-oss-20b", "2.60.0", "fp8"),  # attention sinks
        ("a100-80gb", "gemma-3-4b-it", "2.60.0", "fp8"),  # tokens of images see one another
        ("a100-80gb", "qwen2.5-0.5b-instruct", "2.60.0", "fp8_per_token_head"),
        ("a100-80gb", "qwen2.5-0.5b-instruct", "2.51.2", "fp8"),
        ("t4", "qwen2.5-0.5b-instruct", "2.54.1", "fp8"),
        ("t4", "qwen2.5-0.5b-instruct", "2.60.0", "fp8"),
    ],
)
def test_triton_refuses_an_fp8_cache_below_8_9(
    gpu: str, model: str, ray: str, kv_cache_dtype: str
) -> None:
    entry = {"model": model, "gpu": gpu, "gated": False, "contextLength": 4096}
    engine = {"kv_cache_dtype": kv_cache_dtype}
    found = stops([{**entry, "engine": engine}], gpuPools=[gpu], versions={"ray": ray})
    assert "fp8-kv-capability" in rules(found)


def test_a_window_of_some_layers_is_set_aside() -> None:
    assert model_on("l4", "gemma-2-2b-it", kv_cache_dtype="fp8").asks_prefix_caching


def test_nothing_is_asked_for_a_model_that_is_not_described() -> None:
    entry = {"source": "acme/custom", "gpu": "t4", "checkFit": False, "contextLength": 4096}
    plan = planned([entry], gpuPools=["t4"], versions={"ray": "2.49.1"}).models[0]
    assert (plan.v0_engine, plan.asks_prefix_caching) == (True, False)


@pytest.mark.parametrize(
    "engine",
    [
        {"guided_decoding_backend": "lm-format-enforcer"},
        {"enable_prompt_embeds": True},
        {"otlp_traces_endpoint": "http://traces:4317"},
        {"max_num_partial_prefills": 2, "enable_chunked_prefill": True},
        {"num_scheduler_steps": 8},
        {"scheduler_delay_factor": 0.5},
        {"disable_async_output_proc": True},
        {"preemption_mode": "swap"},
        {"load_format": "sharded_state"},
    ],
)
def test_an_argument_of_v0_moves_the_plan_to_it(engine: dict[str, Any]) -> None:
    plan = on("l4", **engine)
    assert plan.models[0].v0_engine
    assert "argument-v0" in rules(plan.warnings)
    # The step holds a whole prompt.
    assert plan.models[0].max_num_batched_tokens >= plan.models[0].max_model_len


@pytest.mark.parametrize(
    "engine",
    [
        {"guided_decoding_backend": "xgrammar"},
        {"enable_prompt_embeds": False},
        {"num_scheduler_steps": 1},
        {"scheduler_delay_factor": 0.0},
        {"preemption_mode": None},
        {"load_format": "safetensors"},
    ],
)
def test_the_default_of_such_an_argument_moves_nothing(engine: dict[str, Any]) -> None:
    assert not model_on("l4", **engine).v0_engine


@pytest.mark.parametrize(("ray", "v0_engine"), [("2.49.1", True), ("2.50.1", False)])
def test_a_class_that_v1_lacks_runs_on_v0_where_it_exists(
    ray: str, v0_engine: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = llms()["qwen2.5-0.5b-instruct"]
    bloom = row.architecture.model_copy(update={"architecture": "BloomForCausalLM"})
    rows = {**llms(), row.id: row.model_copy(update={"architecture": bloom})}
    monkeypatch.setattr(checkpoint, "llms", lambda: rows)
    assert on("l4", ray=ray).models[0].v0_engine == v0_engine


def test_a_newer_release_has_one_engine() -> None:
    assert not model_on("l4", ray="2.60.0", enable_prompt_embeds=True).v0_engine


def test_without_chunked_prefill_a_step_holds_the_context() -> None:
    def tokens(ray: str, **engine: Any) -> int:
        entry = {"model": "qwen2.5-0.5b-instruct", "contextLength": 16384, "engine": engine}
        plan = planned([entry], gpuPools=["l4"], versions={"ray": ray})
        return plan.models[0].max_num_batched_tokens

    assert tokens("2.60.0", enable_chunked_prefill=False) == 16384
    assert tokens("2.60.0") == 8192
    assert tokens("2.49.1", enable_chunked_prefill=False) == 8192  # vLLM 0.10 sets it to true


@pytest.mark.parametrize(
    ("model", "whole"), [("phi-3.5-mini-instruct", True), ("qwen2.5-0.5b-instruct", False)]
)
def test_v0_does_not_split_long_prompts_of_a_model_with_a_window(model: str, whole: bool) -> None:
    engine = {"hf_overrides": {"max_position_embeddings": 131072}, "kv_cache_dtype": "fp8"}
    entry = {"model": model, "gpu": "l4-x4", "contextLength": 40960, "engine": engine}
    plan = planned([entry], gpuPools=["l4-x4"], versions={"ray": "2.49.1"}).models[0]
    assert plan.v0_engine
    assert (plan.max_num_batched_tokens >= 40960) == whole


def test_the_window_is_the_limit_where_it_is_disabled() -> None:
    entry = {
        "model": "gemma-2-2b-it",
        "gated": False,
        "engine": {"disable_sliding_window": True},
    }
    assert planned([entry], gpuPools=["l4"]).models[0].max_model_len == 4096
