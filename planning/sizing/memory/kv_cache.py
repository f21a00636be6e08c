"""The KV cache of one sequence on one GPU, and the longest context that a given cache holds.

Blocks of 16 tokens unless stated, as in vLLM's paged attention. Models that mix kinds of layers are
grouped as vLLM's hybrid KV cache manager does it: layers of one kind in groups of equal size,
the last group of each padded (v1/core/kv_cache_utils.py, get_kv_cache_config_hybrid in 0.10).
"""

import math
from dataclasses import replace

from planning.sizing.memory.cache_layers import cache_layers
from planning.sizing.memory.state_cache import blocks_of_states
from planning.sizing.memory.vllm_accounting import BLOCK_TOKENS, MemoryInputs

__all__ = ["BLOCK_TOKENS", "blocks_bytes", "kv_bytes", "longest_context", "token_bytes"]


def kv_bytes(inputs: MemoryInputs, tokens: int) -> int:
    """KV cache of one sequence of `tokens` tokens on one GPU, in whole blocks.

    A draft keeps a cache of its own for the same tokens, and an encoder may keep none.
    """
    if not inputs.keeps_cache:
        return 0
    layers = cache_layers(inputs)
    blocks = math.ceil(tokens / layers.block_tokens)
    if inputs.accounting.windows_free_blocks:
        of_all = layers.groups(layers.full) * blocks * layers.full_block_bytes
        of_window = _window_blocks(inputs, tokens, layers.block_tokens)
        of_all += layers.groups(layers.sliding) * of_window * layers.sliding_block_bytes
        own = layers.group * of_all
    else:
        own = blocks * layers.block_tokens * layers.token_bytes
    if layers.states and not inputs.accounting.v0_engine:
        padded = layers.groups(layers.states) * layers.group
        own += padded * blocks_of_states(inputs, blocks) * layers.full_block_bytes
    draft = _draft_inputs(inputs)
    return own + (kv_bytes(draft, tokens) if draft else 0)


def blocks_bytes(inputs: MemoryInputs, blocks: int) -> int:
    """What so many blocks of the KV cache take on one GPU; a block spans a group of layers."""
    draft = _draft_inputs(inputs)
    of_draft = blocks_bytes(draft, blocks) if draft else 0
    layers = cache_layers(inputs)
    largest = max(layers.full_block_bytes, layers.sliding_block_bytes if layers.sliding else 0)
    group = layers.group if inputs.accounting.windows_free_blocks else layers.full + layers.sliding
    return blocks * group * largest + of_draft


def token_bytes(inputs: MemoryInputs) -> int:
    """KV cache of one token on one GPU with every layer counted, as vLLM's log counts tokens."""
    return cache_layers(inputs).token_bytes


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


def _window_blocks(inputs: MemoryInputs, tokens: int, block_tokens: int) -> int:
    """Blocks that a sliding layer keeps of one sequence (SlidingWindowSpec in vLLM).

    What is outside the window is freed once a step is done: vLLM 0.26 and newer count the steps
    that run at the same time.
    """
    window = inputs.architecture.sliding_window or tokens
    running = inputs.batches_in_flight * inputs.max_num_batched_tokens
    return math.ceil(min(window - 1 + running, tokens) / block_tokens) + 1
