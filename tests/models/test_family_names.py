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
    # Its class sets the same sizes, so that a file may leave them out.
    assert (
        read(model_type="qwen3_next").state_layers
        == read(model_type="qwen3_next", full_attention_interval=4, **states).state_layers
    )


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


def test_nemotron_h_lists_its_layers_in_letters_or_in_names() -> None:
    """nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B and -3.5-Lightning, in aiconfigurator-core 0.12.0."""
    sizes = {
        "model_type": "nemotron_h",
        "mamba_num_heads": 64,
        "mamba_head_dim": 64,
        "n_groups": 8,
        "ssm_state_size": 128,
        "conv_kernel": 4,
        "chunk_size": 128,
        "n_routed_experts": 8,
        "moe_intermediate_size": 512,
        "moe_shared_expert_intermediate_size": 1024,
    }
    letters = read(**sizes, hybrid_override_pattern="ME*-")
    names = read(
        **sizes,
        num_hidden_layers=None,
        layers_block_type=["mamba", "moe", "attention", "mlp"],
    )
    assert letters == names
    assert (names.num_hidden_layers, names.full_attention_layers) == (4, 1)
    assert names.state_layers is not None
    assert names.state_layers.num_layers == 1
    dense, experts = 2 * 1024 * 4096, 8 * 2 * 1024 * 512 + 2 * 1024 * 1024
    assert names.feed_forward_parameters == dense + experts
    with pytest.raises(ConfigJsonError, match="has 3 entries for 4 layers"):
        read(**sizes, hybrid_override_pattern="ME*")


def test_layers_of_an_architecture_search_have_their_own_shapes() -> None:
    """nvidia/Llama-3_3-Nemotron-Super-49B-v1: null where the others have a number."""

    def block(group: int | None, width: float) -> dict[str, Any]:
        attention = {"no_op": group is None, "n_heads_in_group": group}
        return {"attention": attention, "ffn": {"no_op": False, "ffn_mult": width}}

    searched = read(
        model_type="nemotron-nas",
        architectures=["DeciLMForCausalLM"],
        num_key_value_heads=None,
        intermediate_size=None,
        head_dim=None,
        block_configs=[block(8, 2.625), block(None, 5.25), block(4, 1.0), block(None, 1.0)],
    )
    assert searched.full_attention_layers == 2
    assert searched.num_key_value_heads == 4  # 16 heads in groups of 4, the most of any layer
    assert searched.intermediate_size == 3584
    assert searched.feed_forward_parameters == 3 * 1024 * (1792 + 3584 + 768 + 768)
    with pytest.raises(ConfigJsonError, match="has 0 entries for 4 layers"):
        read(model_type="nemotron-nas", block_configs=[])


def test_kimi_numbers_its_layers_from_one() -> None:
    kimi = read(
        model_type="kimi_linear",
        kv_lora_rank=512,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
        linear_attn_config={
            "kda_layers": [1, 2, 3],
            "full_attn_layers": [4],
            "num_heads": 32,
            "head_dim": 128,
            "short_conv_kernel_size": 4,
        },
    )
    assert kimi.full_attention_layers == 1
    assert kimi.state_layers is not None
    assert kimi.state_layers.value_dtype == "float32"
    assert kimi.state_layers.convolution_channels == 3 * 32 * 128


def test_minimax_lists_its_linear_layers_as_zeros() -> None:
    lightning = read(model_type="minimax_text_01", attn_type_list=[0, 0, 0, 1])
    assert lightning.full_attention_layers == 1
    assert lightning.state_layers is not None
    assert lightning.state_layers.head_values == 64 * 64


def test_the_layers_that_have_an_indexer_of_their_own_are_counted() -> None:
    """MiniMaxAI/MiniMax-M3 and zai-org/GLM-5.2, in aiconfigurator-core 0.12.0."""
    sparse = {
        "use_sparse_attention": True,
        "sparse_index_dim": 128,
        "sparse_attention_freq": [0, 1, 1, 1],
    }
    minimax = read(model_type="minimax_m3", sparse_attention_config=sparse)
    assert (minimax.index_head_dim, minimax.index_layers) == (128, 3)
    glm = read(
        model_type="glm_moe_dsa",
        num_hidden_layers=78,
        kv_lora_rank=512,
        qk_nope_head_dim=192,
        qk_rope_head_dim=64,
        v_head_dim=256,
        index_topk=2048,
        index_head_dim=128,
        index_topk_freq=4,
        index_skip_topk_offset=3,
    )
    assert glm.index_layers == 21  # indexer_types of the file: 21 times "full"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"interleave_moe_layer_step": 2}, 2),  # Llama 4 Maverick
        ({"moe_layer_freq": [0, 1, 1, 1]}, 3),  # MiMo-V2, MiniMax M3
        ({"mlp_layer_types": ["dense", "sparse", "sparse", "sparse"]}, 3),  # GLM 5.2
        ({"expert_layer_period": 2, "expert_layer_offset": 1}, 2),  # Jamba
        ({"num_dense_layers": 2}, 2),  # LFM2
        ({"mlp_only_layers": [0]}, 3),  # Qwen
        ({"moe_layer_freq": 1, "first_k_dense_replace": 1}, 3),  # DeepSeek
    ],
)
def test_layers_with_experts_are_counted_as_families_say_it(
    changes: dict[str, Any], expected: int
) -> None:
    model = read(model_type="some_moe", num_local_experts=8, num_experts_per_tok=2, **changes)
    assert model.num_moe_layers == expected


def test_a_nested_configuration_leaves_to_its_class_what_equals_it() -> None:
    """llava-hf/llava-1.5-7b-hf: its text_config has the model type and little else."""
    text = {"model_type": "llama", "vocab_size": 32_064, "max_position_embeddings": 4096}
    nested = {"model_type": "llava", "torch_dtype": "float16", "text_config": text}
    llava, _ = architecture_from_config_json(json.dumps(nested))
    assert (llava.num_hidden_layers, llava.hidden_size, llava.head_dim) == (32, 4096, 128)
    with pytest.raises(ConfigJsonError, match="num_hidden_layers is missing"):
        architecture_from_config_json(json.dumps(text | {"torch_dtype": "float16"}))


def test_a_flat_file_without_experts_is_of_a_dense_model() -> None:
    assert read(model_type="granitemoehybrid", layer_types=["attention"] * 4).num_experts is None


def test_a_class_does_not_speak_for_a_field_that_is_null_or_has_another_name() -> None:
    mixtral = read(model_type="mixtral", num_local_experts=16, num_experts_per_tok=2)
    assert mixtral.num_experts == 16
    text = {"model_type": "qwen3_moe_text", "num_experts": None, "mamba_d_conv": None}
    nested = {"model_type": "new", "text_config": {**SIZES, **text}}
    assert architecture_from_config_json(json.dumps(nested))[0].num_experts is None
