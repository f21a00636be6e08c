"""The LLM rows are consistent and agree with the numbers in their sources."""

from dataclasses import dataclass

import pytest

from models.architecture import AttentionKind
from models.catalog import (
    LlmRow,
    float16_refused,
    llms,
    release_number,
    supported_architectures,
    vllm_versions,
)
from models.tasks import Task

ROWS = list(llms().values())
IDS = [row.id for row in ROWS]

# Bytes of KV cache per token if every layer has full attention and 16-bit values. The numbers are
# published or recomputed by the sources of the rows, not by this program.
KV_BYTES_PER_TOKEN = {
    "qwen3-embedding-0.6b": 114_688,
    "qwen3-embedding-4b": 147_456,
    "qwen3-embedding-8b": 147_456,
    "bge-m3": 98_304,
    "bge-large-en-v1.5": 98_304,
    "multilingual-e5-large-instruct": 98_304,
    "e5-mistral-7b-instruct": 131_072,
    "bge-reranker-v2-m3": 98_304,
    "qwen3-reranker-0.6b": 114_688,
    "qwen3-reranker-4b": 147_456,
    "qwen2.5-vl-3b-instruct": 36_864,
    "qwen2.5-vl-7b-instruct": 57_344,
    "mistral-small-3.1-24b-instruct-2503": 163_840,
    "qwen2.5-0.5b-instruct": 12_288,
    "qwen2.5-1.5b-instruct": 28_672,
    "qwen2.5-3b-instruct": 36_864,
    "qwen2.5-7b-instruct": 57_344,
    "qwen2.5-14b-instruct": 196_608,
    "qwen2.5-32b-instruct": 262_144,
    "qwen2.5-72b-instruct": 327_680,
    "qwen2.5-7b-instruct-awq": 57_344,
    "qwen2.5-14b-instruct-awq": 196_608,
    "qwen2.5-32b-instruct-awq": 262_144,
    "qwen2.5-72b-instruct-awq": 327_680,
    "qwen2.5-coder-7b-instruct": 57_344,
    "qwen2.5-coder-32b-instruct": 262_144,
    "qwen3-0.6b": 114_688,
    "qwen3-1.7b": 114_688,
    "qwen3-4b": 147_456,
    "qwen3-8b": 147_456,
    "qwen3-8b-awq": 147_456,
    "qwen3-14b": 163_840,
    "qwen3-32b": 262_144,
    "qwen3-30b-a3b": 98_304,
    "llama-3.1-8b-instruct": 131_072,
    "llama-3.1-70b-instruct": 327_680,
    "llama-3.2-1b-instruct": 32_768,
    "llama-3.2-3b-instruct": 114_688,
    "llama-3.3-70b-instruct": 327_680,
    "llama-2-7b-chat": 524_288,
    "llama-2-13b-chat": 819_200,
    "mistral-7b-instruct-v0.3": 131_072,
    "mixtral-8x7b-instruct-v0.1": 131_072,
    "mistral-small-24b-instruct-2501": 163_840,
    "falcon-7b-instruct": 8_192,
    "falcon-40b-instruct": 122_880,
    "falcon3-7b-instruct": 114_688,
    "falcon3-10b-instruct": 163_840,
    "phi-3-mini-4k-instruct": 393_216,
    "phi-3.5-mini-instruct": 393_216,
    "phi-4": 204_800,
    "gemma-2-2b-it": 106_496,
    "gemma-2-9b-it": 344_064,
    "gemma-2-27b-it": 376_832,
    "gemma-3-1b-it": 26_624,
    "gemma-3-4b-it": 139_264,
    "gemma-3-12b-it": 393_216,
    "gemma-3-27b-it": 507_904,
    "deepseek-r1-distill-qwen-1.5b": 28_672,
    "deepseek-r1-distill-qwen-7b": 57_344,
    "deepseek-r1-distill-qwen-14b": 196_608,
    "deepseek-r1-distill-qwen-32b": 262_144,
    "deepseek-r1-distill-llama-8b": 131_072,
    "deepseek-r1-distill-llama-70b": 327_680,
    "deepseek-v2-lite-chat": 31_104,
    "gpt-oss-20b": 49_152,
    "gpt-oss-120b": 73_728,
    "tinyllama-1.1b-chat": 22_528,
    "smollm2-135m-instruct": 23_040,
    "smollm2-360m-instruct": 40_960,
    "smollm2-1.7b-instruct": 196_608,
    # Layers of attention x 2 x KV heads x head size x 2 bytes, by the fields of config.json; those
    # that keep a state have none, and MLA's are (kv_lora_rank + qk_rope_head_dim) x 2 bytes.
    "qwen3.5-27b": 16 * 2 * 4 * 256 * 2,
    "qwen3.5-35b-a3b": 10 * 2 * 2 * 256 * 2,
    "qwen3.5-122b-a10b": 12 * 2 * 2 * 256 * 2,
    "qwen3.5-397b-a17b": 15 * 2 * 2 * 256 * 2,
    "qwen3.6-27b": 16 * 2 * 4 * 256 * 2,
    "qwen3.6-35b-a3b": 10 * 2 * 2 * 256 * 2,
    "qwen3-vl-2b-instruct": 28 * 2 * 8 * 128 * 2,
    "qwen3-vl-4b-instruct": 36 * 2 * 8 * 128 * 2,
    "qwen3-vl-8b-instruct": 36 * 2 * 8 * 128 * 2,
    "qwen3-vl-32b-instruct": 64 * 2 * 8 * 128 * 2,
    "qwen3-vl-30b-a3b-instruct": 48 * 2 * 4 * 128 * 2,
    "qwen3-vl-235b-a22b-instruct": 94 * 2 * 4 * 128 * 2,
    "qwen3-235b-a22b": 94 * 2 * 4 * 128 * 2,
    "qwen3-coder-480b-a35b-instruct": 62 * 2 * 8 * 128 * 2,
    "nemotron-3-nano-30b-a3b": 6 * 2 * 2 * 128 * 2,
    "nemotron-3-super-120b-a12b": 8 * 2 * 2 * 128 * 2,
    "nemotron-3-ultra-550b-a55b": 12 * 2 * 2 * 128 * 2,
    "nemotron-h-56b-base-8k": 10 * 2 * 8 * 128 * 2,
    "gemma-4-26b-a4b-it": (5 * 2 * 512 + 25 * 8 * 256) * 2 * 2,
    "gemma-4-31b-it": (10 * 4 * 512 + 50 * 16 * 256) * 2 * 2,
    "llama-3.1-405b-instruct": 126 * 2 * 8 * 128 * 2,
    "llama-4-scout-17b-16e-instruct": 48 * 2 * 8 * 128 * 2,
    "llama-4-maverick-17b-128e-instruct": 48 * 2 * 8 * 128 * 2,
    "mixtral-8x22b-instruct-v0.1": 56 * 2 * 8 * 128 * 2,
    "glm-5": 78 * (512 + 64) * 2,
    "glm-5.1": 78 * (512 + 64) * 2,
    "glm-5.2": 78 * (512 + 64) * 2,
    "qwen3-next-80b-a3b-instruct": 12 * 2 * 2 * 256 * 2,
    "kimi-linear-48b-a3b-instruct": 7 * (512 + 64) * 2,
}

# Models that the oldest pinned vLLM lacks, and a release from which on those pinned have them.
FIRST_VLLM = {
    "gpt-oss": "0.10.2",
    "qwen3.5": "0.18.0",
    "qwen3.6": "0.18.0",
    "qwen3-vl": "0.11.0",
    "gemma-4": "0.20.0",
    "glm-5": "0.18.0",
    "kimi-linear": "0.15.0",
    "qwen3-next": "0.10.2",
}
# Counted on the model itself, built without memory for its weights; others from the dimensions.
BUILT = "built from that config.json on the meta device"


@dataclass(frozen=True)
class Shape:
    """The parts of a decoder that its config.json does not state, by model type."""

    gated_mlp: bool = True
    qkv_bias: bool = False
    all_bias: bool = False
    norms_per_layer: int = 2
    qk_norm: bool = False


SHAPES = {
    "bert": Shape(gated_mlp=False),
    "xlm-roberta": Shape(gated_mlp=False),
    "qwen2_5_vl": Shape(qkv_bias=True),
    "qwen3_vl": Shape(qk_norm=True),
    "mistral3": Shape(),
    "qwen2": Shape(qkv_bias=True),
    "qwen3": Shape(qk_norm=True),
    "qwen3_moe": Shape(qk_norm=True),
    "llama": Shape(),
    "mistral": Shape(),
    "mixtral": Shape(),
    "phi3": Shape(),
    "gemma2": Shape(norms_per_layer=4),
    "gemma3": Shape(norms_per_layer=4, qk_norm=True),
    "gemma3_text": Shape(norms_per_layer=4, qk_norm=True),
    "falcon": Shape(gated_mlp=False),
    "deepseek_v2": Shape(),
    "gpt_oss": Shape(all_bias=True),
}


def parameters_from_dimensions(row: LlmRow) -> int:
    """Count the parameters of a decoder from its dimensions, tied embeddings once."""
    a = row.architecture
    shape = SHAPES[a.model_type]
    hidden, heads, kv = a.hidden_size, a.num_attention_heads, a.num_key_value_heads
    query, keys = heads * a.head_dim, kv * a.head_dim
    if a.attention.kind is AttentionKind.MLA:
        rank, rope = a.attention.kv_lora_rank or 0, a.attention.qk_rope_head_dim or 0
        nope, value = a.attention.qk_nope_head_dim or 0, a.attention.v_head_dim or 0
        attention = hidden * query + hidden * (rank + rope) + rank
        attention += rank * heads * (nope + value) + heads * value * hidden
    else:
        attention = hidden * (query + 2 * keys) + query * hidden
        attention += (query + 2 * keys) * (shape.qkv_bias or shape.all_bias)
        attention += hidden * shape.all_bias + 2 * a.head_dim * shape.qk_norm
    matrices = 3 if shape.gated_mlp else 2
    dense = matrices * hidden * a.intermediate_size
    experts = 0
    if a.num_experts:
        width = a.moe_intermediate_size or a.intermediate_size
        experts = a.num_experts * (
            matrices * hidden * width + (2 * width + hidden) * shape.all_bias
        )
        experts += matrices * hidden * width * (a.num_shared_experts or 0)
        experts += hidden * a.num_experts + a.num_experts * shape.all_bias
    moe_layers = a.num_moe_layers or 0
    layers = a.num_hidden_layers * (attention + shape.norms_per_layer * hidden)
    layers += (a.num_hidden_layers - moe_layers) * dense + moe_layers * experts
    # A model that embeds has no head: as_embedding_model in vLLM drops it.
    one_table = a.tie_word_embeddings or row.task is Task.EMBED
    embeddings = a.vocab_size * hidden * (1 if one_table else 2)
    return layers + embeddings + hidden + row.vision_parameters


def test_there_are_at_least_thirty_llms() -> None:
    assert len(ROWS) >= 30


def test_ids_are_served_names_and_sources_are_repositories() -> None:
    for row in ROWS:
        assert row.id == row.id.lower()
        assert ":" not in row.id
        assert row.source.count("/") == 1


def test_sources_are_unique() -> None:
    assert len({row.source for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_kv_cache_per_token_is_that_of_the_sources(row: LlmRow) -> None:
    architecture = row.architecture
    full, sliding = architecture.full_attention_layers, architecture.sliding_window_layers or 0
    if full is None:
        full = architecture.num_hidden_layers - (sliding if architecture.sliding_head_dim else 0)
    values = full * architecture.kv_values_per_token_per_layer
    if architecture.sliding_head_dim:
        heads = architecture.sliding_num_key_value_heads or architecture.num_key_value_heads
        values += sliding * heads * 2 * architecture.sliding_head_dim
    assert values * 2 == KV_BYTES_PER_TOKEN[row.id]


def test_every_golden_kv_figure_has_a_row() -> None:
    assert set(KV_BYTES_PER_TOKEN) == set(IDS)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_parameters_follow_from_the_dimensions(row: LlmRow) -> None:
    if BUILT in row.provenance:
        # What the reader adds up of the layers is close enough to tell 16-bit weights by.
        counted = row.architecture.parameters + row.vision_parameters
        assert counted == pytest.approx(row.parameters, rel=0.12)
        return
    computed = parameters_from_dimensions(row)
    deviation = abs(row.parameters - computed) / computed
    # If a row has a note, the difference that it explains is the tied lm_head.
    if row.parameters_note:
        head = row.architecture.vocab_size * row.architecture.hidden_size
        assert "lm_head" in row.parameters_note
        assert row.parameters - computed == pytest.approx(head, rel=0.02)
    else:
        assert deviation < 0.02


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_weight_bytes_follow_from_the_parameters(row: LlmRow) -> None:
    if BUILT in row.provenance:
        assert row.weight_bytes == 2 * row.parameters
        return
    computed = parameters_from_dimensions(row)
    if row.quantization is None:
        # One in 32 bit is loaded in 16.
        assert row.architecture.torch_dtype in ("bfloat16", "float16") or row.task.pools
        assert row.weight_bytes == pytest.approx(2 * computed, rel=0.02)
    else:
        # Between the size with all weights quantized and 0.6 of the 16-bit size.
        assert computed * row.quantization.bits / 8 < row.weight_bytes < computed * 2 * 0.6


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_checkpoints_are_about_as_large_as_the_weights(row: LlmRow) -> None:
    # The ratio is larger if tied heads are stored twice and smaller because of Marlin's padding.
    stored = 2 if row.architecture.torch_dtype == "float32" else 1
    assert 0.9 < row.checkpoint_bytes / row.weight_bytes / stored < 1.3


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_attention_kind_matches_the_heads(row: LlmRow) -> None:
    architecture = row.architecture
    kinds = {
        architecture.num_attention_heads: AttentionKind.MHA,
        1: AttentionKind.MQA,
    }
    if architecture.attention.kind is not AttentionKind.MLA:
        expected = kinds.get(architecture.num_key_value_heads, AttentionKind.GQA)
        assert architecture.attention.kind is expected


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_context_is_not_extended_by_rope_scaling_twice(row: LlmRow) -> None:
    assert row.architecture.longest_context == row.architecture.max_position_embeddings


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_every_pinned_vllm_from_a_first_one_on_has_the_architecture(row: LlmRow) -> None:
    has = [
        version
        for version in vllm_versions()
        if row.architecture.architecture in supported_architectures(version)
    ]
    first = release_number(FIRST_VLLM.get(row.family, "0.10.0"))
    assert has == [version for version in vllm_versions() if release_number(version) >= first]


def test_float16_is_refused_to_multimodal_gemma3_but_not_to_the_text_model() -> None:
    refused = float16_refused("0.10.0")
    assert llms()["gemma-3-4b-it"].architecture.model_type in refused
    assert llms()["gemma-2-9b-it"].architecture.model_type in refused
    assert llms()["gemma-3-1b-it"].architecture.model_type not in refused


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_every_row_says_where_it_comes_from(row: LlmRow) -> None:
    assert row.provenance
    assert "\n" not in row.provenance
    if row.confidence == "remembered":
        assert "nferred" in row.provenance
