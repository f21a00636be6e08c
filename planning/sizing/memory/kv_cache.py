"""The KV cache of one sequence on one GPU, and the longest context that a given cache holds.

Blocks of 16 tokens unless stated, as in vLLM's paged attention. Models that mix sliding and full attention are
grouped as vLLM's hybrid KV cache manager does it: layers of one kind in groups of equal size,
the last group of each padded (v1/core/kv_cache_utils.py, get_kv_cache_config_hybrid in 0.10).
"""

import math
from dataclasses import replace

from models.architecture import AttentionKind
from planning.sizing.memory.vllm_accounting import BLOCK_TOKENS, MemoryInputs

__all__ = ["BLOCK_TOKENS", "blocks_bytes", "kv_bytes", "longest_context", "token_bytes"]


def kv_bytes(inputs: MemoryInputs, tokens: int) -> int:
    """KV cache of one sequence of `tokens` tokens on one GPU, in whole blocks.

    A draft keeps a cache of its own for the same tokens.
    """
    full, sliding = _layers(inputs)
    group = _group(inputs)
    blocks = math.ceil(full / group) * math.ceil(tokens / inputs.block_tokens)
    if sliding:
        blocks += math.ceil(sliding / group) * _window_blocks(inputs, tokens)
    own = blocks * group * _block_bytes(inputs)
    draft = _draft_inputs(inputs)
    return own + (kv_bytes(draft, tokens) if draft else 0)


def blocks_bytes(inputs: MemoryInputs, blocks: int) -> int:
    """What so many blocks of the KV cache take on one GPU; a block spans a group of layers."""
    draft = _draft_inputs(inputs)
    of_draft = blocks_bytes(draft, blocks) if draft else 0
    return blocks * _group(inputs) * _block_bytes(inputs) + of_draft


def token_bytes(inputs: MemoryInputs) -> int:
    """KV cache of one token on one GPU with every layer counted, as vLLM's log counts tokens."""
    return inputs.stage_layers * _block_bytes(inputs) // inputs.block_tokens


def longest_context(inputs: MemoryInputs, available_bytes: int) -> int:
    """The most tokens of one sequence whose KV cache fits, in whole blocks, by bisection.

    Never beyond the model's own limit; 0 if not even one block fits.
    """
    limit = inputs.architecture.longest_context
    if available_bytes <= 0:
        return 0
    if kv_bytes(inputs, limit) <= available_bytes:
        return limit
    low, high = 0, limit // inputs.block_tokens + 1
    while high - low > 1:
        middle = (low + high) // 2
        if kv_bytes(inputs, middle * inputs.block_tokens) <= available_bytes:
            low = middle
        else:
            high = middle
    return low * inputs.block_tokens


def _draft_inputs(inputs: MemoryInputs) -> MemoryInputs | None:
    """The draft as if it ran alone; None if there is none that keeps a cache."""
    if inputs.draft is None or inputs.draft.architecture is None:
        return None
    return replace(
        inputs,
        architecture=inputs.draft.architecture,
        tensor_parallel_size=inputs.draft_tensor_parallel_size,
        pipeline_parallel_size=1,
        draft=None,
    )


def _group(inputs: MemoryInputs) -> int:
    full, sliding = _layers(inputs)
    return min(full, sliding) or max(full, sliding)


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
    return math.ceil(kept / inputs.block_tokens) + 1


def _block_bytes(inputs: MemoryInputs) -> int:
    """One block of one layer on one GPU."""
    architecture = inputs.architecture
    if architecture.attention.kind is AttentionKind.MLA:
        values = architecture.kv_values_per_token_per_layer  # every GPU keeps the whole latent
    else:
        heads = max(1, math.ceil(architecture.num_key_value_heads / inputs.tensor_parallel_size))
        values = 2 * heads * architecture.head_dim
    return inputs.block_tokens * values * inputs.kv_value_bytes
