"""Families that write their own names into config.json, read as vLLM understands them.

The values are those of published files; what does not matter here is left out.
"""

import json
from typing import Any

import pytest

from models.architecture import (
    ConfigJsonError,
    LlmArchitecture,
    NotComputedError,
    architecture_from_config_json,
)

SIZES: dict[str, Any] = {
    "num_hidden_layers": 4,
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "intermediate_size": 4096,
    "vocab_size": 32_000,
    "max_position_embeddings": 131_072,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}


def read(**changes: Any) -> LlmArchitecture:
    config = {key: value for key, value in (SIZES | changes).items() if value is not None}
    return architecture_from_config_json(json.dumps(config))[0]


def test_mimo_has_other_heads_in_layers_that_slide() -> None:
    """https://github.com/sgl-project/sglang/pull/15464, XiaomiMiMo/MiMo-V2-Flash."""
    mimo = read(
        model_type="mimo_v2_flash",
        sliding_window=128,
        hybrid_layer_pattern=[0, 1, 1, 1],
        head_dim=192,
        v_head_dim=128,
        swa_num_key_value_heads=8,
        swa_head_dim=192,
        swa_v_head_dim=128,
    )
    assert (mimo.sliding_window, mimo.sliding_window_layers) == (128, 3)
    assert (mimo.num_key_value_heads, mimo.head_dim, mimo.v_head_dim) == (4, 192, 128)
    sliding = (mimo.sliding_num_key_value_heads, mimo.sliding_head_dim, mimo.sliding_v_head_dim)
    assert sliding == (8, 192, 128)


def test_gemma_4_has_other_heads_in_layers_that_do_not() -> None:
    """https://github.com/vllm-project/vllm/issues/43308, google/gemma-4-31B-it."""
    gemma = read(
        model_type="gemma4_text",
        layer_types=["sliding_attention"] * 3 + ["full_attention"],
        sliding_window=1024,
        num_key_value_heads=16,
        global_head_dim=512,
        num_global_key_value_heads=4,
        attention_k_eq_v=True,
        num_experts=8,
        top_k_experts=2,
        moe_intermediate_size=512,
    )
    assert (gemma.num_key_value_heads, gemma.head_dim) == (4, 512)
    assert (gemma.sliding_num_key_value_heads, gemma.sliding_head_dim) == (16, 64)
    assert gemma.num_experts_per_tok == 2


def test_gemma_3n_has_a_width_a_layer_and_shares_caches() -> None:
    gemma = read(
        model_type="gemma3n_text",
        intermediate_size=[8192, 8192, 16384, 16384],
        layer_types=["sliding_attention", "full_attention"] * 2,
        sliding_window=512,
        num_kv_shared_layers=2,
    )
    assert gemma.intermediate_size == 16384
    assert (gemma.full_attention_layers, gemma.sliding_window_layers) == (1, 1)


def test_ernie_names_its_experts_its_own_way() -> None:
    ernie = read(
        model_type="ernie4_5_moe",
        moe_num_experts=64,
        moe_k=6,
        moe_num_shared_experts=2,
        moe_intermediate_size=1536,
        moe_layer_start_index=1,
    )
    experts = (ernie.num_experts, ernie.num_experts_per_tok, ernie.num_shared_experts)
    assert (*experts, ernie.num_moe_layers) == (64, 6, 2, 3)
    both = read(model_type="ernie4_5_moe_vl", moe_num_experts=[64, 64], moe_k=6)
    assert both.num_experts == 128


def test_hunyuan_lists_a_value_for_each_layer() -> None:
    hunyuan = read(
        model_type="hunyuan_v1_moe",
        num_experts=64,
        moe_topk=[8] * 4,
        num_shared_expert=[1] * 4,
        moe_intermediate_size=[3072] * 4,
    )
    assert (hunyuan.num_experts, hunyuan.num_experts_per_tok) == (64, 8)
    assert hunyuan.moe_intermediate_size == 3072


def test_step_counts_groups_of_heads() -> None:
    step = read(model_type="step3", num_key_value_heads=None, num_attention_groups=2)
    assert step.num_key_value_heads == 2


def test_a_layer_of_longcat_attends_twice() -> None:
    latent = {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128}
    longcat = read(model_type="longcat_flash", v_head_dim=128, **latent)
    assert longcat.full_attention_layers == 8


def test_dbrx_has_its_sizes_in_objects() -> None:
    dbrx = architecture_from_config_json(
        json.dumps(
            {
                "model_type": "dbrx",
                "d_model": 6144,
                "n_heads": 48,
                "n_layers": 40,
                "max_seq_len": 32768,
                "vocab_size": 100_352,
                "torch_dtype": "bfloat16",
                "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4},
                "attn_config": {"kv_n_heads": 8},
            }
        )
    )[0]
    assert (dbrx.intermediate_size, dbrx.moe_intermediate_size) == (10752, 10752)
    assert (dbrx.num_experts, dbrx.num_experts_per_tok) == (16, 4)
    assert dbrx.num_key_value_heads == 8


@pytest.mark.parametrize("field", ["img_processor", "vision_config", "mm_vision_tower", "visual"])
def test_what_reads_images_is_multimodal(field: str) -> None:
    assert read(model_type="phi3_v", **{field: {"name": "clip_vision_model"}}).multimodal


def test_an_indexer_has_a_cache_of_its_own() -> None:
    sparse = read(
        model_type="deepseek_v32",
        kv_lora_rank=512,
        qk_rope_head_dim=64,
        qk_nope_head_dim=128,
        v_head_dim=128,
        index_head_dim=128,
        index_topk=2048,
    )
    assert sparse.index_head_dim == 128


def test_a_gated_delta_net_keeps_a_state() -> None:
    """https://github.com/noonghunna/club-3090/issues/612, Qwen3.5 MoE: no intermediate_size."""
    states = {
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 32,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_conv_kernel_dim": 4,
    }
    qwen = read(
        model_type="qwen3_5_moe_text",
        intermediate_size=None,
        moe_intermediate_size=512,
        num_experts=256,
        num_experts_per_tok=8,
        full_attention_interval=4,
        **states,
    )
    assert (qwen.intermediate_size, qwen.full_attention_layers) == (512, 1)
    assert qwen.state_layers is not None
    assert qwen.state_layers.num_layers == 3
    listed = read(
        model_type="qwen3_next",
        layer_types=["linear_attention", "full_attention"] * 2,
        **states,
    )
    assert listed.full_attention_layers == 2
    with pytest.raises(ConfigJsonError, match="linear_num_value_heads is missing"):
        read(model_type="qwen3_next", layer_types=None)


def test_a_kind_of_layer_that_is_not_known_counts_as_full() -> None:
    kinds = ["sliding_attention", "some_new_attention"] * 2
    new = read(model_type="new", layer_types=kinds, sliding_window=512)
    assert new.sliding_window_layers == 2
    assert new.full_attention_layers is None  # all the others


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "mamba2"}, "without any KV cache"),
        ({"model_type": "deepseek_v4", "compress_ratios": [0, 4, 128]}, "compresses its KV cache"),
        ({"model_type": "nemotron_h_puzzle", "block_configs": []}, "its own shape"),
        ({"model_type": "new", "layer_types": ["mamba"] * 4}, "does not know how large"),
    ],
)
def test_what_is_not_computed_says_so_and_asks_for_no_other_file(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NotComputedError, match=reason) as caught:
        read(**changes)
    assert str(caught.value).endswith("Give gpu and contextLength and set checkFit: false.")


def test_a_hybrid_family_s_model_of_attention_alone_is_read() -> None:
    dense = read(model_type="granitemoehybrid", layer_types=["attention"] * 4)
    assert dense.full_attention_layers is None


@pytest.mark.parametrize(
    ("limits", "longest"),
    [
        ({"seq_length": 8192}, 8192),
        ({"max_seq_len": 4096}, 4096),
        ({"model_max_length": 16384}, 16384),
        ({"model_max_length": 200_000}, 200_000),  # Command R: it is the limit, not the smallest
        ({}, 131_072),
    ],
)
def test_the_limits_that_vllm_reads_are_read(limits: dict[str, int], longest: int) -> None:
    assert read(model_type="llama", **limits).max_position_embeddings == longest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hybrid_layer_pattern": [0, 1]}, "has 2 entries for 4 layers"),
        ({"hybrid_layer_pattern": [0, 1, 2, 1]}, "must be a list of zeros and ones"),
        ({"intermediate_size": [1, "x"]}, "must be a whole number"),
        ({"ffn_config": 3}, "must be an object"),
        ({"moe_num_experts": ["a"]}, "must be a list of whole numbers"),
    ],
)
def test_bad_values_of_these_fields_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigJsonError, match=message):
        read(model_type="new", sliding_window=512, **changes)
