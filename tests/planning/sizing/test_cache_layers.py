"""The KV cache of models whose layers differ, against logs of engines and hand-made sums."""

from dataclasses import replace

import pytest

from models.architecture import Attention, AttentionKind, LlmArchitecture, StateKind, StateLayers
from planning import GIB
from planning.sizing.memory.kv_cache import kv_bytes, longest_context
from planning.sizing.memory.vllm_accounting import StateCache, StateMode, accounting
from tests.planning.sizing.test_memory import load_of

PLAIN = LlmArchitecture(
    model_type="plain",
    num_hidden_layers=40,
    hidden_size=2048,
    intermediate_size=4096,
    num_attention_heads=16,
    num_key_value_heads=2,
    head_dim=256,
    vocab_size=32_000,
    max_position_embeddings=262_144,
    torch_dtype="bfloat16",
    tie_word_embeddings=False,
    attention=Attention(kind=AttentionKind.GQA),
)
QWEN_35_35B = PLAIN.model_copy(
    update={
        "full_attention_layers": 10,
        "state_layers": StateLayers(
            kind=StateKind.GATED_DELTA_NET,
            num_layers=30,
            convolution_channels=2 * 16 * 128 + 32 * 128,
            convolution_rows=3,
            num_heads=32,
            head_values=128 * 128,
            value_dtype="float32",
        ),
    }
)
MIMO = PLAIN.model_copy(
    update={
        "num_hidden_layers": 48,
        "num_attention_heads": 64,
        "num_key_value_heads": 4,
        "head_dim": 192,
        "v_head_dim": 128,
        "sliding_window": 128,
        "sliding_window_layers": 39,
        "sliding_num_key_value_heads": 8,
        "sliding_head_dim": 192,
        "sliding_v_head_dim": 128,
    }
)
GEMMA_4_31B = PLAIN.model_copy(
    update={
        "num_hidden_layers": 60,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 512,
        "sliding_window": 1024,
        "sliding_window_layers": 50,
        "sliding_num_key_value_heads": 16,
        "sliding_head_dim": 256,
    }
)


ALIGNED = StateCache(mode=StateMode.ALIGN, value_bytes=4)


def test_a_state_and_a_cache_are_what_vllm_logs() -> None:
    """https://github.com/noonghunna/club-3090/issues/612: 5.98 GiB are 4.33 times 131,072 tokens.

    With an fp8 cache; a block is as large as a state.
    """
    inputs = load_of(QWEN_35_35B, kv_value_bytes=1, state_cache=ALIGNED)
    assert 5.98 * GIB / kv_bytes(inputs, 131_072) == pytest.approx(4.33, abs=0.01)


def test_a_state_does_not_grow_with_the_context() -> None:
    inputs = load_of(QWEN_35_35B, state_cache=ALIGNED)
    growth = kv_bytes(inputs, 262_144) - kv_bytes(inputs, 131_072)
    assert growth == pytest.approx(131_072 * 10 * 2 * 2 * 256 * 2, rel=0.01)
    assert kv_bytes(inputs, 16) > 60 * 2 * 1024**2  # 30 layers keep two states of 2 MiB


def test_tensor_parallelism_divides_a_state() -> None:
    whole, half = load_of(QWEN_35_35B), load_of(QWEN_35_35B, tensor_parallel_size=2)
    assert kv_bytes(half, 16) < 0.6 * kv_bytes(whole, 16)


def test_layers_that_do_not_slide_count_with_their_own_heads() -> None:
    """https://github.com/sgl-project/sglang/issues/15464: 1.41 GiB for 262,144 at TP 4."""
    inputs = load_of(MIMO, tensor_parallel_size=4, max_num_batched_tokens=2048)
    full = 9 * (192 + 128) * 2 * 262_144
    assert full / GIB == pytest.approx(1.41, abs=0.01)
    # 39 layers that slide, in groups of 9: 45 with 2 heads a GPU, and (127 + 2048) / 16 + 1 blocks
    assert kv_bytes(inputs, 262_144) == full + 45 * 137 * 16 * 2 * (192 + 128) * 2


def test_gemma_4_needs_what_its_log_says() -> None:
    """https://github.com/vllm-project/vllm/issues/43308: some 525,000 tokens in some 50 GiB."""
    needed = kv_bytes(load_of(GEMMA_4_31B, max_num_batched_tokens=2048), 262_144)
    assert 22 <= needed / GIB <= 27


def test_without_the_hybrid_manager_every_layer_keeps_everything() -> None:
    off = accounting("0.18.0", v0_engine=False, hybrid_kv_cache=False)
    inputs = load_of(GEMMA_4_31B, accounting=off)
    values = 10 * 4 * 2 * 512 + 50 * 16 * 2 * 256
    assert kv_bytes(inputs, 4096) == 4096 * values * 2


def test_layers_that_share_a_cache_keep_nothing() -> None:
    sharing = PLAIN.model_copy(
        update={
            "num_hidden_layers": 35,
            "full_attention_layers": 4,
            "sliding_window": 512,
            "sliding_window_layers": 16,
        }
    )
    window = (511 + 8192) // 16 + 2
    block = 16 * 2 * 2 * 256 * 2
    assert kv_bytes(load_of(sharing), 32_768) == 4 * (2048 + 4 * window) * block


def test_an_indexer_adds_its_keys() -> None:
    latent = PLAIN.model_copy(
        update={
            "attention": Attention(kind=AttentionKind.MLA, kv_lora_rank=512, qk_rope_head_dim=64),
            "index_head_dim": 128,
        }
    )
    assert kv_bytes(load_of(latent), 1600) == 40 * 1600 * (576 * 2 + 128 + 4)


def test_an_indexer_beside_key_value_heads_keeps_16_bits_a_value() -> None:
    """MiniMaxM3IndexerCache in vLLM 0.29.0; MiniMax M3 has one in 57 of its 60 layers."""
    indexed = PLAIN.model_copy(update={"index_head_dim": 128, "index_layers": 38})
    assert kv_bytes(load_of(indexed), 1600) == 40 * 1600 * (2 * 2 * 256 * 2 + 244)


def test_layers_that_use_another_s_indexer_keep_no_keys_from_a_release_on() -> None:
    latent = PLAIN.model_copy(
        update={
            "attention": Attention(kind=AttentionKind.MLA, kv_lora_rank=512, qk_rope_head_dim=64),
            "index_head_dim": 128,
            "index_layers": 10,
        }
    )
    older, newer = (
        load_of(latent, accounting=accounting(vllm, v0_engine=False))
        for vllm in ("0.18.0", "0.29.0")
    )
    assert kv_bytes(older, 1600) == 40 * 1600 * (576 * 2 + 132)
    assert kv_bytes(newer, 1600) == 40 * 1600 * (576 * 2 + 33)


def test_a_window_waits_for_all_steps_that_run_at_once() -> None:
    one = load_of(GEMMA_4_31B, max_num_batched_tokens=2048)
    two = replace(one, batches_in_flight=2)
    blocks = (kv_bytes(two, 65_536) - kv_bytes(one, 65_536)) / (50 * 16 * 2 * 16 * 256 * 2)
    assert blocks == 2048 / 16


@pytest.mark.parametrize("architecture", [QWEN_35_35B, MIMO, GEMMA_4_31B])
def test_the_longest_context_fits(architecture: LlmArchitecture) -> None:
    inputs = load_of(architecture)
    longest = longest_context(inputs, 2 * GIB)
    assert kv_bytes(inputs, longest) <= 2 * GIB
    stages = replace(inputs, pipeline_parallel_size=2)
    assert kv_bytes(stages, longest) < kv_bytes(inputs, longest)
