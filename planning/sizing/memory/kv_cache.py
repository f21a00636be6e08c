"""The KV cache of one sequence on one GPU, and the longest context that a given cache holds.

Blocks of 16 tokens, as in vLLM's paged attention. Models that mix sliding and full attention are
grouped as vLLM's hybrid KV cache manager does it: layers of one kind in groups of equal size,
the last group of each padded (v1/core/kv_cache_utils.py, get_kv_cache_config_hybrid in 0.10).
"""

import math

from models.architecture import AttentionKind
from planning.sizing.memory.vllm_accounting import Load

BLOCK_TOKENS = 16  # vLLM's default block_size on CUDA


def kv_bytes(load: Load, tokens: int) -> int:
    """KV cache of one sequence of `tokens` tokens on one GPU, in whole blocks."""
    full, sliding = _layers(load)
    group = min(full, sliding) or max(full, sliding)
    blocks = math.ceil(full / group) * math.ceil(tokens / BLOCK_TOKENS)
    if sliding:
        blocks += math.ceil(sliding / group) * _window_blocks(load, tokens)
    return blocks * group * _block_bytes(load)


def token_bytes(load: Load) -> int:
    """KV cache of one token on one GPU with every layer counted, as vLLM's log counts tokens."""
    return load.stage_layers * _block_bytes(load) // BLOCK_TOKENS


def longest_context(load: Load, available_bytes: int) -> int:
    """The most tokens of one sequence whose KV cache fits, in whole blocks, by bisection.

    Never beyond the model's own limit; 0 where not one block fits.
    """
    limit = load.architecture.longest_context
    if available_bytes <= 0:
        return 0
    if kv_bytes(load, limit) <= available_bytes:
        return limit
    low, high = 0, limit // BLOCK_TOKENS + 1
    while high - low > 1:
        middle = (low + high) // 2
        if kv_bytes(load, middle * BLOCK_TOKENS) <= available_bytes:
            low = middle
        else:
            high = middle
    return low * BLOCK_TOKENS


def _layers(load: Load) -> tuple[int, int]:
    """Layers of the largest pipeline stage that attend to everything, and that slide."""
    architecture = load.architecture
    sliding = architecture.sliding_window_layers or 0
    if not load.accounting.windows_free_blocks or not architecture.sliding_window:
        sliding = 0
    share = sliding * load.stage_layers // architecture.num_hidden_layers
    return load.stage_layers - share, share


def _window_blocks(load: Load, tokens: int) -> int:
    """Blocks that a sliding layer keeps of one sequence (SlidingWindowSpec in vLLM 0.10)."""
    window = load.architecture.sliding_window or tokens
    kept = min(window - 1 + load.max_num_batched_tokens, tokens)
    return math.ceil(kept / BLOCK_TOKENS) + 1


def _block_bytes(load: Load) -> int:
    """One block of one layer on one GPU."""
    architecture = load.architecture
    if architecture.attention.kind is AttentionKind.MLA:
        values = architecture.kv_values_per_token_per_layer  # every GPU keeps the whole latent
    else:
        heads = max(1, math.ceil(architecture.num_key_value_heads / load.tensor_parallel_size))
        values = 2 * heads * architecture.head_dim
    return BLOCK_TOKENS * values * load.kv_value_bytes
