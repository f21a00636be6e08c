"""Which quantization method loads a checkpoint, by release, GPU and what the stack asks for."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.problems import StackError
from models.reading import read_stack
from planning import ModelPlan, make_plan
from tests.planning.stacks import stack

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True, "desc_act": False}
AUTO_ROUND = {"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": True}
MODELOPT = {"quant_method": "modelopt", "producer": {"name": "modelopt"}}
PACKED = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "config_groups": {"group_0": {"weights": {"num_bits": 4, "group_size": 128}}},
}


def served(
    folder: Path, stored: dict[str, Any] | None, ray: str, tier: str = "l4", **keys: Any
) -> ModelPlan:
    """The plan of a llama with this quantization_config; raises StackError if it is stopped."""
    config = LLAMA | ({"quantization_config": stored} if stored else {})
    (folder / "config.json").write_text(json.dumps(config))
    entry = {"source": "acme/m", "configFile": "config.json", "weightGib": 5.5, "gpu": tier}
    values = stack([entry | keys], [tier], versions={"ray": ray})
    return make_plan(read_stack("test", values, frozenset(), folder)).models[0]


@pytest.mark.parametrize(
    ("quantization", "ray", "tier", "asked"),
    [
        # https://github.com/vllm-project/vllm/issues/49137: INC loads what AutoRound made
        (AUTO_ROUND, "2.49.1", "l4", None),
        (AUTO_ROUND, "2.54.1", "l4", None),
        (AUTO_ROUND, "2.60.0", "l4", None),
        (AUTO_ROUND, "2.60.0", "l4", "inc"),
        (AUTO_ROUND, "2.60.0", "l4", "awq"),  # INC takes it over whatever is stated
        (MODELOPT | {"quant_algo": "NVFP4"}, "2.54.1", "l4", "modelopt_fp4"),
        (MODELOPT | {"quant_algo": "NVFP4"}, "2.60.0", "l4", "modelopt_fp4"),
        (MODELOPT | {"quant_algo": "FP8"}, "2.49.1", "l4", "modelopt"),
        (MODELOPT | {"quant_algo": "MIXED_PRECISION"}, "2.60.0", "l4", None),
        (AWQ, "2.49.1", "l4", "awq_marlin"),
        (AWQ, "2.49.1", "l4", "moe_wna16"),
        (AWQ, "2.60.0", "l4", "auto_awq"),
        (AWQ, "2.49.1", "t4", "awq_marlin"),
        (AWQ, "2.49.1", "l4", "AWQ"),
        (GPTQ, "2.49.1", "l4", "gptq_marlin"),
        (GPTQ, "2.60.0", "l4", "auto_gptq"),
        (GPTQ | {"bits": 3}, "2.55.1", "l4", None),
        (PACKED, "2.54.1", "t4", None),
    ],
)
def test_what_vllm_loads_is_not_stopped(
    tmp_path: Path, quantization: dict[str, Any], ray: str, tier: str, asked: str | None
) -> None:
    keys = {} if asked is None else {"quantization": asked}
    assert served(tmp_path, quantization, ray, tier, **keys).quantization_shown


@pytest.mark.parametrize(
    ("quantization", "ray", "tier", "asked", "rule"),
    [
        (
            MODELOPT | {"quant_algo": "MIXED_PRECISION"},
            "2.49.1",
            "l4",
            None,
            "quantization-unknown",
        ),
        (AWQ, "2.49.1", "l4", "gptq_marlin", "quantization-checkpoint"),
        (AWQ, "2.60.0", "l4", "auto_gptq", "quantization-checkpoint"),
        (GPTQ, "2.49.1", "l4", "awq_marlin", "quantization-checkpoint"),
        (AWQ | {"bits": 8}, "2.49.1", "l4", None, "quantization-unknown"),
        (AWQ | {"bits": 8}, "2.60.0", "l4", None, "quantization-unknown"),
        (GPTQ | {"bits": 3}, "2.60.0", "l4", None, "quantization-unknown"),
        (GPTQ | {"sym": False}, "2.60.0", "l4", None, "quantization-unknown"),
        (PACKED, "2.49.1", "t4", None, "quantization-capability"),
        (
            PACKED | {"format": "nvfp4-pack-quantized"},
            "2.49.1",
            "t4",
            None,
            "quantization-capability",
        ),
        (PACKED | {"format": "mxfp4-pack-quantized"}, "2.49.1", "l4", None, "quantization-unknown"),
        (MODELOPT | {"quant_algo": "FP8"}, "2.49.1", "a100-80gb", None, "quantization-capability"),
    ],
)
def test_what_it_refuses_is_stopped(
    tmp_path: Path,
    quantization: dict[str, Any],
    ray: str,
    tier: str,
    asked: str | None,
    rule: str,
) -> None:
    keys = {} if asked is None else {"quantization": asked}
    with pytest.raises(StackError) as stopped:
        served(tmp_path, quantization, ray, tier, **keys)
    assert rule in {problem.rule for problem in stopped.value.problems}


def test_the_engine_s_own_argument_is_read_as_vllm_reads_it(tmp_path: Path) -> None:
    """In lower case, and `marlin` where Marlin takes the checkpoint over."""
    for asked in ("AWQ", "awq_marlin", "marlin"):
        assert served(tmp_path, AWQ, "2.55.1", engine={"quantization": asked})
    with pytest.raises(StackError, match="is not a quantization method") as stopped:
        served(tmp_path, AWQ, "2.55.1", engine={"quantization": "squeezellm"})
    assert len(stopped.value.problems) == 1


def test_a_method_that_is_chosen_by_name_is_passed_on(tmp_path: Path) -> None:
    assert served(tmp_path, AWQ, "2.49.1", quantization="moe_wna16").quantization == "moe_wna16"
    assert served(tmp_path, AWQ, "2.49.1", quantization="awq_marlin").quantization is None


@pytest.mark.parametrize(
    "odd", [GPTQ | {"sym": False}, GPTQ | {"bits": 3}, AWQ | {"zero_point": False}]
)
def test_what_marlin_cannot_run_computes_in_float16(tmp_path: Path, odd: dict[str, Any]) -> None:
    """vLLM 0.10.0 has its older kernels for these, which know float16 alone."""
    assert served(tmp_path, odd, "2.49.1").dtype == "float16"
    with pytest.raises(StackError, match="is not a dtype of"):
        served(tmp_path, odd, "2.49.1", dtype="bfloat16")


@pytest.mark.parametrize(
    ("asked", "ray"),
    [("fp8_per_tensor", "2.60.0"), ("int8_per_channel_weight_only", "2.60.0"), ("rtn", "2.49.1")],
)
def test_a_release_s_own_methods_quantize_while_loading(
    tmp_path: Path, asked: str, ray: str
) -> None:
    plan = served(tmp_path, None, ray, weightGib=15, quantization=asked, contextLength=2048)
    assert plan.quantization == asked
    assert plan.fit is not None
    assert plan.fit.weight_bytes < 10 * 1024**3


def test_a_file_beside_config_json_says_how_the_weights_are_stored(tmp_path: Path) -> None:
    said = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8"}}
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(said))
    assert served(tmp_path, None, "2.54.1", weightGib=8.5).quantization_shown == "modelopt"
    with pytest.raises(StackError, match="Add quantization: modelopt"):
        served(tmp_path, None, "2.49.1", weightGib=8.5)
    stated = served(tmp_path, None, "2.49.1", weightGib=8.5, quantization="modelopt")
    assert stated.quantization == "modelopt"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"quantization": 3}', '{"quantization": {"quant_algo": 1}}']
)
def test_a_damaged_file_beside_config_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "hf_quant_config.json").write_text(text)
    with pytest.raises(StackError, match=r"hf_quant_config\.json"):
        served(tmp_path, None, "2.54.1", weightGib=8.5)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "hf_quant_config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(StackError, match=r"hf_quant_config\.json is not JSON"):
        served(tmp_path, None, "2.54.1", weightGib=8.5)
