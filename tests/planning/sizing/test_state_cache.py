"""The states of Mamba and linear layers, against vLLM's own code, its logs and simple truths."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.architecture import LlmArchitecture, architecture_from_config_json
from models.catalog import llms
from planning import GIB
from planning.sizing.memory.cache_layers import cache_layers
from planning.sizing.memory.estimate import memory_fit
from planning.sizing.memory.kv_cache import kv_bytes
from planning.sizing.memory.state_cache import resident_state_bytes, state_bytes, state_cache
from planning.sizing.memory.vllm_accounting import MemoryInputs, StateCache, StateMode, accounting
from tests.planning.sizing.test_memory import load_of

SIZES = {"torch_dtype": "bfloat16", "vocab_size": 65_536, "tie_word_embeddings": True}
GRANITE_4_H_1B = SIZES | {
    "model_type": "granitemoehybrid",
    "hidden_size": 1536,
    "intermediate_size": 4096,
    "num_hidden_layers": 40,
    "num_attention_heads": 12,
    "num_key_value_heads": 4,
    "max_position_embeddings": 131_072,
    "mamba_n_heads": 48,
    "mamba_d_state": 128,
    "mamba_d_head": "auto",
    "mamba_n_groups": 1,
    "mamba_expand": 2,
    "mamba_d_conv": 4,
    "mamba_chunk_size": 256,
    "layer_types": [
        *(["mamba"] * 5 + ["attention"]),
        *((["mamba"] * 9 + ["attention"]) * 3),
        *(["mamba"] * 4),
    ],
}
JAMBA = SIZES | {
    "model_type": "jamba",
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 262_144,
    "attn_layer_period": 8,
    "attn_layer_offset": 4,
    "num_experts": 16,
    "num_experts_per_tok": 2,
    "expert_layer_period": 2,
    "mamba_d_state": 16,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
}
ZAMBA2 = SIZES | {
    "model_type": "zamba2",
    "hidden_size": 2560,
    "intermediate_size": 10_240,
    "num_hidden_layers": 54,
    "num_attention_heads": 32,
    "max_position_embeddings": 65_536,
    "mamba_d_state": 64,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_ngroups": 1,
    "n_mamba_heads": 80,
    "mamba_headdim": 64,
    "chunk_size": 256,
    "layers_block_type": (["mamba"] * 5 + ["hybrid"]) * 9,
}
FALCON_H1 = SIZES | {
    "model_type": "falcon_h1",
    "hidden_size": 1024,
    "intermediate_size": 2048,
    "num_hidden_layers": 36,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "max_position_embeddings": 131_072,
    "mamba_chunk_size": 128,
    "mamba_d_conv": 4,
    "mamba_d_head": 64,
    "mamba_d_state": 128,
    "mamba_d_ssm": 1536,
    "mamba_n_groups": 1,
    "mamba_n_heads": 24,
}
LFM2 = SIZES | {
    "model_type": "lfm2_moe",
    "hidden_size": 2048,
    "intermediate_size": 7168,
    "moe_intermediate_size": 1792,
    "num_dense_layers": 2,
    "num_hidden_layers": 24,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_experts": 32,
    "num_experts_per_tok": 4,
    "max_position_embeddings": 128_000,
    "conv_L_cache": 3,
    "layer_types": ["conv", "conv", "full_attention"] * 8,
}
QWEN3_NEXT = SIZES | {
    "model_type": "qwen3_next",
    "hidden_size": 2048,
    "intermediate_size": 5120,
    "num_hidden_layers": 48,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "head_dim": 256,
    "max_position_embeddings": 262_144,
    "num_experts": 512,
    "num_experts_per_tok": 10,
    "moe_intermediate_size": 512,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 128,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
    "linear_value_head_dim": 128,
}
MODELS = {
    "granite-4.0-h-1b": GRANITE_4_H_1B,
    "jamba": JAMBA,
    "zamba2": ZAMBA2,
    "falcon-h1": FALCON_H1,
    "lfm2": LFM2,
    "qwen3-next": QWEN3_NEXT,
}
# What vLLM 0.29.0 computes: the state of get_mamba_state_shape_from_config of the model's class,
# the block of attention that is no smaller, and the bytes of a sequence of 65,536 tokens (the
# longest of Nemotron-H: 8,192) in the groups of kv_cache_utils. By model, degree of tensor
# parallelism and mamba_cache_mode.
BY_VLLM = {
    ("qwen3.5-27b", 1, "align"): (3_207_168, 784, 4_624_220_160),
    ("qwen3.5-27b", 4, "none"): (801_792, 784, 1_117_519_872),
    ("qwen3.5-35b-a3b", 4, "align"): (536_576, 528, 708_280_320),
    ("nemotron-3-nano-30b-a3b", 1, "align"): (2_134_016, 2096, 515_112_960),
    ("nemotron-3-nano-30b-a3b", 4, "all"): (533_504, 1152, 1_008_599_040),
    ("nemotron-3-super-120b-a12b", 4, "align"): (1_063_936, 2080, 357_826_560),
    ("nemotron-3-ultra-550b-a55b", 4, "none"): (2_124_800, 4160, 511_180_800),
    ("nemotron-h-56b-base-8k", 1, "all"): (8_511_488, 2176, 2_495_610_880),
    ("granite-4.0-h-1b", 1, "align"): (806_400, 400, 596_377_600),
    ("granite-4.0-h-1b", 4, "all"): (202_752, 512, 1_342_177_280),
    ("jamba", 1, "align"): (311_296, 80, 1_093_140_480),
    ("jamba", 4, "all"): (77_824, 2048, 2_147_483_648),
    ("lfm2", 1, "align"): (8192, 16, 1_074_790_400),
    ("qwen3-next", 1, "align"): (1_097_728, 544, 1_697_906_688),
    ("qwen3-next", 4, "none"): (274_432, 272, 815_529_984),
}


def architecture_of(name: str) -> LlmArchitecture:
    config = MODELS.get(name)
    if config is None:
        return llms()[name].architecture
    return architecture_from_config_json(json.dumps(config))[0]


def kept(name: str, vllm: str = "0.29.0", degree: int = 1, **engine: Any) -> MemoryInputs:
    """The inputs of a model in a release, with engine arguments about its states."""
    architecture = architecture_of(name)
    return load_of(
        architecture,
        tensor_parallel_size=degree,
        accounting=accounting(vllm, v0_engine=False),
        state_cache=state_cache(architecture, engine, vllm, 2),
    )


@pytest.mark.parametrize(("name", "degree", "mode"), BY_VLLM)
def test_states_are_what_vllm_computes(name: str, degree: int, mode: str) -> None:
    inputs = kept(name, degree=degree, enable_prefix_caching=mode != "none", mamba_cache_mode=mode)
    assert inputs.state_cache.mode == mode
    tokens = min(65_536, inputs.architecture.longest_context)
    computed = (state_bytes(inputs), cache_layers(inputs).block_tokens, kv_bytes(inputs, tokens))
    assert computed == BY_VLLM[name, degree, mode]


def test_a_state_of_two_gpus_is_what_vllm_logs() -> None:
    """https://github.com/mitchross/talos-argocd-proxmox/pull/1995: 4.99 GiB a GPU are 2.31 times
    131,072 tokens of Qwen3.8-27B, whose layers are those of 3.5, in blocks of 1,568.
    """
    inputs = replace(kept("qwen3.5-27b", degree=2), kv_value_bytes=1)
    assert cache_layers(inputs).block_tokens == 1568
    assert 4.99 * GIB / kv_bytes(inputs, 131_072) == pytest.approx(2.31, abs=0.01)


@pytest.mark.parametrize(
    ("vllm", "engine", "mode"),
    [
        ("0.11.0", {"enable_prefix_caching": True}, "none"),
        ("0.18.0", {}, "none"),
        ("0.18.0", {"enable_prefix_caching": True}, "all"),
        ("0.18.0", {"enable_prefix_caching": True, "mamba_cache_mode": "align"}, "align"),
        ("0.26.0", {}, "all"),
        ("0.29.0", {}, "align"),
        ("0.29.0", {"enable_prefix_caching": False}, "none"),
        ("0.29.0", {"mamba_cache_mode": "all"}, "all"),
    ],
)
def test_a_release_keeps_the_states_of_mamba_2_in_its_mode(
    vllm: str, engine: dict[str, Any], mode: str
) -> None:
    assert kept("granite-4.0-h-1b", vllm, **engine).state_cache.mode == mode


def test_linear_layers_keep_no_state_of_every_block() -> None:
    assert kept("qwen3.5-27b", mamba_cache_mode="all").state_cache.mode is StateMode.ALIGN


def test_a_recurrent_state_has_the_dtype_that_is_stated() -> None:
    own, half = kept("qwen3.5-27b"), kept("qwen3.5-27b", mamba_ssm_cache_dtype="float16")
    assert state_bytes(half) == pytest.approx(state_bytes(own) / 2, rel=0.05)
    assert state_bytes(kept("jamba", mamba_cache_dtype="float32")) == 2 * state_bytes(kept("jamba"))


def test_older_releases_keep_a_recurrent_state_in_the_model_s_dtype() -> None:
    nano = "nemotron-3-nano-30b-a3b"
    assert state_bytes(kept(nano, "0.11.0")) < 0.6 * state_bytes(kept(nano, "0.15.0"))


def test_speculation_keeps_a_state_for_each_token_that_may_be_taken_back() -> None:
    plain = kept("qwen3.5-27b")
    guessing = kept("qwen3.5-27b", speculative_config={"num_speculative_tokens": 3})
    more = kv_bytes(guessing, 8192) - kv_bytes(plain, 8192)
    assert more >= 3 * 48 * state_bytes(plain)


def test_the_v0_engine_allocates_the_states_of_all_sequences_at_once() -> None:
    architecture = architecture_of("granite-4.0-h-1b")
    inputs = load_of(architecture, accounting=accounting("0.10.0", v0_engine=True))
    states = resident_state_bytes(inputs)
    assert states == 36 * 128 * state_bytes(inputs)
    assert kv_bytes(inputs, 8192) == 8192 * 4 * 2 * 4 * 128 * 2
    fewer = memory_fit(replace(inputs, max_num_seqs=16))
    assert fewer.kv_available_bytes - memory_fit(inputs).kv_available_bytes > 0.8 * states


def test_a_layer_may_keep_a_state_beside_its_cache() -> None:
    layers = cache_layers(kept("falcon-h1"))
    assert (layers.full, layers.states) == (36, 36)
    layers = cache_layers(kept("zamba2"))
    assert (layers.full, layers.states) == (9, 54)


def test_layers_of_kinds_that_are_about_as_common_share_groups_of_one_size() -> None:
    """gpt-oss-20b with a draft: 12 that slide and 13 that do not, in vLLM's own comment."""
    architecture = llms()["gpt-oss-20b"].architecture.model_copy(
        update={"num_hidden_layers": 25, "sliding_window_layers": 12}
    )
    newer = load_of(architecture, accounting=accounting("0.18.0", v0_engine=False))
    older = load_of(architecture, accounting=accounting("0.11.0", v0_engine=False))
    assert (cache_layers(newer).group, cache_layers(older).group) == (13, 12)
    assert kv_bytes(newer, 65_536) < kv_bytes(older, 65_536)


NAMES = st.sampled_from([*MODELS, "qwen3.5-27b", "qwen3.5-35b-a3b", "nemotron-3-nano-30b-a3b"])
RELEASES = st.sampled_from(["0.10.2", "0.11.0", "0.15.0", "0.18.0", "0.26.0", "0.29.0"])
TOKENS = st.integers(1, 131_072)


def _attending(inputs: MemoryInputs) -> MemoryInputs:
    """The same model with attention in each layer, in blocks of the same size."""
    architecture = inputs.architecture.model_copy(
        update={"state_layers": None, "full_attention_layers": None}
    )
    tokens = cache_layers(inputs).block_tokens
    return replace(inputs, architecture=architecture, block_tokens=tokens, state_cache=StateCache())


@given(NAMES, RELEASES, st.integers(8, 64))
def test_states_never_need_more_than_attention_in_all_layers(
    name: str, vllm: str, blocks: int
) -> None:
    inputs = kept(name, vllm)
    layers = cache_layers(inputs)
    if layers.full + layers.states > inputs.architecture.num_hidden_layers:
        return  # a state beside a cache is more, not less
    tokens = blocks * layers.block_tokens
    padded = layers.groups(layers.full) * layers.group - layers.full
    padded += layers.groups(layers.states) * layers.group - layers.states
    allowed = kv_bytes(_attending(inputs), tokens)
    allowed += padded * (blocks + 2) * layers.full_block_bytes
    if inputs.state_cache.mode is not StateMode.ALL:
        assert kv_bytes(inputs, tokens) < allowed
    assert kv_bytes(inputs, tokens) <= allowed


@given(NAMES, RELEASES, TOKENS, TOKENS)
def test_more_tokens_never_take_less(name: str, vllm: str, one: int, other: int) -> None:
    inputs = kept(name, vllm)
    assert kv_bytes(inputs, min(one, other)) <= kv_bytes(inputs, max(one, other))


@given(NAMES, RELEASES, TOKENS, st.integers(1, 4))
def test_more_layers_never_take_less(name: str, vllm: str, tokens: int, times: int) -> None:
    inputs = kept(name, vllm)
    architecture = inputs.architecture
    states = architecture.state_layers
    assert states is not None
    more = architecture.model_copy(
        update={
            "num_hidden_layers": times * architecture.num_hidden_layers,
            "full_attention_layers": None
            if architecture.full_attention_layers is None
            else times * architecture.full_attention_layers,
            "state_layers": states.model_copy(update={"num_layers": times * states.num_layers}),
        }
    )
    larger = replace(inputs, architecture=more)
    assert kv_bytes(larger, tokens) == times * kv_bytes(inputs, tokens)


@given(NAMES, RELEASES, TOKENS, st.sampled_from([2, 4, 8]))
def test_more_gpus_never_hold_more_each(name: str, vllm: str, tokens: int, degree: int) -> None:
    one, many = kept(name, vllm), kept(name, vllm, degree)
    # A block is as large as a state, so that the last one may hold more tokens than are used.
    spare = cache_layers(many).groups(cache_layers(many).full) * cache_layers(many).group
    spare *= cache_layers(many).full_block_bytes
    assert kv_bytes(many, tokens) <= kv_bytes(one, tokens) + spare
