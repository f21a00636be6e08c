"""The KV cache of one sequence on one GPU, and the longest context that a given cache holds.

Blocks of 16 tokens, as in vLLM's paged attention. Models that mix sliding and full attention are
grouped as vLLM's hybrid KV cache manager does it: layers of one kind in groups of equal size,
the last group of each padded (v1/core/kv_cache_utils.py, get_kv_cache_config_hybrid in 0.10).
"""

import math

from models.architecture import AttentionKind
from planning.sizing.memory.vllm_accounting import MemoryInputs

BLOCK_TOKENS = 16  # vLLM's default block_size on CUDA


def kv_bytes(inputs: MemoryInputs, tokens: int) -> int:
    """KV cache of one sequence of `tokens` tokens on one GPU, in whole blocks."""
    full, sliding = _layers(inputs)
    group = min(full, sliding) or max(full, sliding)
    blocks = math.ceil(full / group) * math.ceil(tokens / BLOCK_TOKENS)
    if sliding:
        blocks += math.ceil(sliding / group) * _window_blocks(inputs, tokens)
    return blocks * group * _block_bytes(inputs)


def token_bytes(inputs: MemoryInputs) -> int:
    """KV cache of one token on one GPU with every layer counted, as vLLM's log counts tokens."""
    return inputs.stage_layers * _block_bytes(inputs) // BLOCK_TOKENS


def longest_context(inputs: MemoryInputs, available_bytes: int) -> int:
    """The most tokens of one sequence whose KV cache fits, in whole blocks, by bisection.

    Never beyond the model's own limit; 0 if not even one block fits.
    """
    limit = inputs.architecture.longest_context
    if available_bytes <= 0:
        return 0
    if kv_bytes(inputs, limit) <= available_bytes:
        return limit
    low, high = 0, limit // BLOCK_TOKENS + 1
    while high - low > 1:
        middle = (low + high) // 2
        if kv_bytes(inputs, middle * BLOCK_TOKENS) <= available_bytes:
            low = middle
        else:
            high = middle
    return low * BLOCK_TOKENS


def _layers(inputs: MemoryInputs) -> tuple[int, int]:
    """Layers of the largest pipeline stage that attend to everything, and that slide."""
    architecture = inputs.architecture
    sliding = architecture.sliding_window_layers or 0
    if not inputs.accounting.windows_free_blocks or not architecture.sliding_window:
        sliding = 0
    share = sliding * inputs.stage_layers // architecture.num_hidden_layers
    return inputs.stage_layers - share, share


def _window_blocks(inputs: MemoryInputs, tokens: int) -> int:
    """Blocks that a sliding layer keeps of one sequence (SlidingWindowSpec in vLLM 0.10)."""
    window = inputs.architecture.sliding_window or tokens
    kept = min(window - 1 + inputs.max_num_batched_tokens, tokens)
    return math.ceil(kept / BLOCK_TOKENS) + 1


def _block_bytes(inputs: MemoryInputs) -> int:
    """One block of one layer on one GPU."""
    architecture = inputs.architecture
    if architecture.attention.kind is AttentionKind.MLA:
        values = architecture.kv_values_per_token_per_layer  # every GPU keeps the whole latent
    else:
        heads = max(1, math.ceil(architecture.num_key_value_heads / inputs.tensor_parallel_size))
        values = 2 * heads * architecture.head_dim
    return BLOCK_TOKENS * values * inputs.kv_value_bytes
