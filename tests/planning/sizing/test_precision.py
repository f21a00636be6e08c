"""The number format and the engine of a model, by GPU, checkpoint and stated arguments."""

from typing import Any

import pytest

from planning import ModelPlan
from tests.planning.stacks import MODEL, planned, stack, warnings


def on(tier: str, model: str = MODEL, **keys: Any) -> ModelPlan:
    return planned(stack([{"model": model, "gpu": tier, **keys}], [tier], token=True)).models[0]


def test_t4_models_get_float16_and_the_v0_engine_where_there_is_one() -> None:
    for ray, v0 in (("2.49.1", True), ("2.60.0", False)):
        values = stack([{"model": MODEL, "gpu": "t4"}], ["t4"], versions={"ray": ray})
        plan = planned(values).models[0]
        assert (plan.dtype, plan.v0_engine) == ("float16", v0)


@pytest.mark.parametrize("tier", ["l4", "l4-x2", "a100-40gb", "a100-80gb-x2"])
def test_newer_gpus_get_bfloat16_and_the_v1_engine(tier: str) -> None:
    plan = on(tier)
    assert (plan.dtype, plan.v0_engine) == ("bfloat16", False)


def test_a_float16_checkpoint_stays_float16() -> None:
    assert on("a100-80gb", "llama-2-7b-chat").dtype == "float16"


def test_a_stated_dtype_is_kept() -> None:
    assert on("l4", dtype="float16").dtype == "float16"
    assert on("l4", engine={"dtype": "half"}).dtype == "float16"


def test_awq_is_left_to_auto_detection() -> None:
    plan = on("l4", "qwen2.5-7b-instruct-awq")
    assert (plan.quantization, plan.quantization_shown) == (None, "awq")


def test_a_stated_awq_is_not_passed_on_where_it_would_block_marlin() -> None:
    entry = {"model": "qwen2.5-7b-instruct-awq", "quantization": "awq", "gpu": "l4"}
    values = stack([entry], ["l4"], versions={"ray": "2.49.1"})
    assert planned(values).models[0].quantization is None
    assert any("faster Marlin kernels on l4, so it is not passed on" in w for w in warnings(values))


def test_fp8_in_flight_is_passed_on_and_takes_less_memory() -> None:
    plain, fp8 = (
        on("l4", "qwen2.5-7b-instruct"),
        on("l4", "qwen2.5-7b-instruct", quantization="fp8"),
    )
    assert fp8.quantization == "fp8"
    assert plain.fit is not None
    assert fp8.fit is not None
    assert 0.5 < fp8.fit.weight_bytes / plain.fit.weight_bytes < 0.75


def test_fp8_kv_cache_halves_a_sequence() -> None:
    plain, fp8 = on("l4"), on("l4", engine={"kv_cache_dtype": "fp8"})
    assert plain.fit is not None
    assert fp8.fit is not None
    assert fp8.fit.kv_per_sequence_bytes * 2 == plain.fit.kv_per_sequence_bytes


def test_the_quantization_of_an_undescribed_source_is_passed_on() -> None:
    entry = {
        "source": "acme/x",
        "gpu": "l4",
        "checkFit": False,
        "contextLength": 4096,
        "quantization": "awq",
    }
    assert planned(stack([entry], ["l4"])).models[0].quantization == "awq"


def test_a_newer_vllm_on_t4_warns_and_runs_its_only_engine() -> None:
    values = stack([{"model": MODEL, "gpu": "t4"}], ["t4"], versions={"ray": "2.50.1"})
    assert not planned(values).models[0].v0_engine
    assert any(
        "some models are reported to run on them, others to fail" in w for w in warnings(values)
    )


def test_an_fp8_cache_does_not_narrow_what_float32_computes_with() -> None:
    def activations(**keys: Any) -> int:
        plan = planned(
            stack([{"model": MODEL, "gpu": "l4", **keys}], ("l4",), versions={"ray": "2.60.0"})
        )
        (model,) = plan.models
        assert model.fit is not None
        return model.fit.activation_bytes

    fp8 = {"kv_cache_dtype": "fp8"}
    assert activations(dtype="float32", engine=fp8) == activations(dtype="float32")
    assert activations(dtype="bfloat16", engine=fp8) == activations(dtype="bfloat16")
    assert activations(dtype="float32") > activations(dtype="bfloat16")
