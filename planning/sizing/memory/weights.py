"""The weights on one GPU, as vLLM reports "Model loading took".

Tensor parallelism divides most of them. What it does not divide, and what vLLM adds to a checkpoint
while it loads it, is counted apart.
"""

import math
from typing import Final

from models.architecture import AttentionKind
from planning.plan import GIB
from planning.sizing.memory.images import encoder_bytes
from planning.sizing.memory.vllm_accounting import HOPPER, MemoryInputs

_TABLE_VALUE_BYTES: Final = 2  # embeddings and lm_head stay 16-bit in quantized checkpoints
_LOADER_BYTES: Final = int(0.03 * GIB)  # allocator rounding and small buffers; fitted
# Marlin's workspaces and permuted scales: QwQ-32B-AWQ loads at 18.15 GiB instead of 18.00,
# Qwen2.5-Coder-14B-AWQ at 9.38 instead of 9.29 (vLLM load logs).
_PACKED_OVERHEAD: Final = 0.009
# Gemma 3 with its vision tower loads 0.27 to 0.45 GiB above its checkpoint's tensors; fitted.
_GEMMA_VISION_BYTES: Final = int(0.45 * GIB)
# MXFP4: 4 bits a value and a byte for 32 of them. vLLM rounds the hidden size to 256, and a GPU's
# share of the experts' width to a tile (create_weights of Mxfp4MoEMethod).
_MXFP4_VALUE_BYTES: Final = 4.25 / 8
_HIDDEN_TILE: Final = 256
_MARLIN_TILE: Final = 128
_EXPERT_PROJECTIONS: Final = 3
# MLA keeps its up-projections a second time, in 16 bit (process_weights_after_loading). Logs show
# 0.1 GiB more than the checkpoint for DeepSeek-V2-Lite even where that is less.
_LEAST_MLA_BYTES: Final = int(0.1 * GIB)
# The down-projections of MLA are whole on every GPU: a byte a value, as in the fp8 checkpoints of
# the large models. In the small ones they are small.
_DOWN_PROJECTION_VALUE_BYTES: Final = 1


def weight_bytes_per_gpu(inputs: MemoryInputs) -> int:
    """Weights on the GPU that holds most of them.

    With pipeline parallelism, the stage with most layers and one embedding table: the first
    holds the embeddings, the last the output head.
    """
    architecture = inputs.architecture
    total = inputs.weight_bytes * (1 + (_PACKED_OVERHEAD if inputs.packed_weights else 0))
    total += _padding_bytes(inputs)
    if architecture.model_type.startswith("gemma3") and architecture.multimodal:
        total += _GEMMA_VISION_BYTES
    if inputs.pipeline_parallel_size > 1:
        table = architecture.vocab_size * architecture.hidden_size * _TABLE_VALUE_BYTES
        tables = table if architecture.tie_word_embeddings else 2 * table
        layers = max(0.0, total - tables) / architecture.num_hidden_layers
        total = min(total, layers * inputs.stage_layers + table)
    # A GPU may hold the encoder of images whole.
    whole = min(encoder_bytes(inputs) + _down_projection_bytes(inputs), total / 2)
    share = math.ceil((total - whole) / inputs.tensor_parallel_size + whole)
    share += _up_projection_bytes(inputs)
    return max(0, share - inputs.offloaded_bytes) + _rotary_bytes(inputs) + _LOADER_BYTES


def _padding_bytes(inputs: MemoryInputs) -> int:
    """By how much the shards of gpt-oss's experts exceed those of the weights, on all GPUs.

    The weights of the catalogue are those that Marlin pads at tensor parallelism 1, a checkpoint's
    are not padded.
    """
    architecture = inputs.architecture
    if architecture.model_type != "gpt_oss" or not architecture.num_experts:
        return 0
    degree = inputs.tensor_parallel_size
    width = architecture.moe_intermediate_size or architecture.intermediate_size
    hopper = inputs.compute_capability == HOPPER and degree == 1
    tile = inputs.accounting.mxfp4_tile if hopper else _MARLIN_TILE
    experts = _expert_bytes(inputs, architecture.hidden_size, width)
    padded = _rounded(architecture.hidden_size, _HIDDEN_TILE)
    as_loaded = _expert_bytes(inputs, padded, _rounded(math.ceil(width / degree), tile) * degree)
    by_marlin = _expert_bytes(inputs, padded, _rounded(width, _MARLIN_TILE))
    rest = inputs.weight_bytes - experts - _dense_bytes(inputs)
    if rest > experts:  # stored wider than MXFP4
        return 0
    return as_loaded - (by_marlin if rest > (by_marlin - experts) / 2 else experts)


def _expert_bytes(inputs: MemoryInputs, hidden: int, width: int) -> int:
    architecture = inputs.architecture
    count = (architecture.num_experts or 0) * architecture.num_hidden_layers
    return int(count * _EXPERT_PROJECTIONS * hidden * width * _MXFP4_VALUE_BYTES)


def _dense_bytes(inputs: MemoryInputs) -> int:
    """Embeddings, output head and attention in 16 bit."""
    architecture = inputs.architecture
    heads = 2 * architecture.num_attention_heads + 2 * architecture.num_key_value_heads
    attention = architecture.num_hidden_layers * heads * architecture.head_dim
    return (2 * architecture.vocab_size + attention) * architecture.hidden_size * _TABLE_VALUE_BYTES


def _rounded(size: int, tile: int) -> int:
    return -(-size // tile) * tile


def _down_projection_bytes(inputs: MemoryInputs) -> int:
    """The projections of MLA to its latents, which are not divided."""
    attention = inputs.architecture.attention
    if attention.kind is not AttentionKind.MLA:
        return 0
    latents = attention.kv_lora_rank or 0
    latents += (attention.qk_rope_head_dim or 0) + (attention.q_lora_rank or 0)
    layer = inputs.architecture.hidden_size * latents * _DOWN_PROJECTION_VALUE_BYTES
    return inputs.stage_layers * layer


def _up_projection_bytes(inputs: MemoryInputs) -> int:
    """The second copy of MLA's projections from its latent, on one GPU."""
    architecture = inputs.architecture
    attention = architecture.attention
    if attention.kind is not AttentionKind.MLA:
        return 0
    heads = -(-architecture.num_attention_heads // inputs.tensor_parallel_size)
    sizes = (attention.qk_nope_head_dim or 0) + (attention.v_head_dim or 0)
    layer = heads * sizes * (attention.kv_lora_rank or 0) * _TABLE_VALUE_BYTES
    return max(_LEAST_MLA_BYTES, inputs.stage_layers * layer)


def _rotary_bytes(inputs: MemoryInputs) -> int:
    """The tables of rotary embeddings, which every GPU holds whole, in 16 bit.

    Gemma 3 has one more for its sliding layers; DeepSeek's YaRN stays in 32 bit.
    """
    architecture = inputs.architecture
    size = architecture.head_dim
    copies = 1
    if architecture.attention.kind is AttentionKind.MLA:
        size = architecture.attention.qk_rope_head_dim or size
        copies += "yarn" in str((architecture.rope_scaling or {}).get("rope_type"))
    elif architecture.model_type.startswith("gemma3"):
        copies += 1
    return copies * architecture.max_position_embeddings * size * _TABLE_VALUE_BYTES
