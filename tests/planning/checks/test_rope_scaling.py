"""RoPE of a config.json: which releases keep a key that transformers 5 writes."""

import json
from pathlib import Path

import pytest

from models.problems import StackError
from models.reading import read_stack
from planning import make_plan
from tests.planning.small_stacks import values

PARAMETERS = {"rope_type": "default", "rope_theta": 500_000.0}
NEXT = {
    "architectures": ["Qwen3NextForCausalLM"],
    "model_type": "qwen3_next",
    "hidden_size": 2048,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "head_dim": 256,
    "full_attention_interval": 4,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 128,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
    "linear_value_head_dim": 128,
    "intermediate_size": 5120,
    "vocab_size": 151936,
    "max_position_embeddings": 8192,
    "torch_dtype": "bfloat16",
}
OLMO3 = {
    "architectures": ["Olmo3ForCausalLM"],
    "model_type": "olmo3",
    "hidden_size": 2048,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "intermediate_size": 5120,
    "vocab_size": 100278,
    "max_position_embeddings": 8192,
    "torch_dtype": "bfloat16",
}


def found(config: dict[str, object], ray: str, folder: Path) -> set[str]:
    folder.joinpath("config.json").write_text(json.dumps(config | {"rope_parameters": PARAMETERS}))
    model = {"source": "acme/tuned", "configFile": "config.json", "weightGib": 2.5}
    stack = values([model], gpuPools=["l4"], versions={"ray": ray})
    try:
        return {
            problem.rule for problem in make_plan(read_stack("x", stack, directory=folder)).warnings
        }
    except StackError as error:
        return {problem.rule for problem in error.problems}


@pytest.mark.parametrize("config", [NEXT, OLMO3], ids=["qwen3_next", "olmo3"])
@pytest.mark.parametrize(
    ("ray", "kept"), [("2.51.2", False), ("2.54.1", True), ("2.55.1", True), ("2.60.0", True)]
)
def test_a_class_of_vllm_keeps_rope_parameters_with_any_transformers(
    config: dict[str, object], ray: str, kept: bool, tmp_path: Path
) -> None:
    assert ("rope-scaling" not in found(config, ray, tmp_path)) is kept


def test_what_transformers_reads_loses_its_base(tmp_path: Path) -> None:
    llama = OLMO3 | {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    assert "rope-scaling" in found(llama, "2.54.1", tmp_path)
    assert "rope-scaling" not in found(llama, "2.60.0", tmp_path)
