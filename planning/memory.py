"""Does a model fit on a GPU: weights, KV cache, activations and the runtime's own share.

All sums are for one GPU of a replica, in bytes. The formula is vLLM's own accounting:
`utilization x memory` is the budget; weights, the peak of a profiling run and what the CUDA
context and NCCL hold are taken from it, and the rest becomes KV cache blocks.
"""

import math
from dataclasses import dataclass

from models.architecture import AttentionKind, LlmArchitecture
from planning.plan import GIB, MemoryFit

BLOCK_TOKENS = 16  # vLLM's default block_size on CUDA

# Shares that no config.json states. Estimates from vLLM start-up logs, meant to be a little high.
_ACTIVATION_BASE_BYTES = int(0.5 * GIB)
_INTERMEDIATE_BYTES_PER_TOKEN = 4  # two 16-bit copies of the widest layer are alive at once
_LOGIT_BYTES_PER_SEQUENCE = 20  # float32 logits with the sampler's sorted copies
_VISION_BYTES = 1 * GIB  # the profiling run of a vision tower
_CONTEXT_BYTES = int(0.25 * GIB)  # CUDA context and workspaces outside PyTorch
_NCCL_BYTES = int(0.5 * GIB)  # communicators and custom all-reduce buffers from two GPUs on


@dataclass(frozen=True, kw_only=True)
class Load:
    """What an engine is asked to hold, as far as memory is concerned.

    weight_bytes: all the weights at tensor parallelism 1.
    kv_value_bytes: bytes of one value in the KV cache, 2 for 16 bit, 1 for fp8.
    windows_free_blocks: whether sliding layers give blocks back (V1's hybrid KV cache manager).
    """

    architecture: LlmArchitecture
    weight_bytes: int
    kv_value_bytes: int
    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    tensor_parallel_size: int
    pipeline_parallel_size: int
    gpu_memory_utilization: float
    gpu_memory_gib: float
    windows_free_blocks: bool


def memory_fit(load: Load) -> MemoryFit:
    """The memory of one GPU of a replica under this load."""
    budget = load.gpu_memory_utilization * load.gpu_memory_gib * GIB
    weights = load.weight_bytes / (load.tensor_parallel_size * load.pipeline_parallel_size)
    activations = _activation_bytes(load)
    runtime = _CONTEXT_BYTES + (
        _NCCL_BYTES if load.tensor_parallel_size * load.pipeline_parallel_size > 1 else 0
    )
    available = int(budget - weights - activations - runtime)
    per_sequence = kv_bytes(load, load.max_model_len)
    return MemoryFit(
        budget_bytes=int(budget),
        weight_bytes=math.ceil(weights),
        activation_bytes=activations,
        runtime_bytes=runtime,
        kv_available_bytes=available,
        kv_per_sequence_bytes=per_sequence,
        concurrent_sequences=max(0.0, available / per_sequence),
        longest_context=_longest_context(load, available),
    )


def kv_bytes(load: Load, tokens: int) -> int:
    """KV cache of one sequence of `tokens` tokens on one GPU, in whole blocks."""
    architecture = load.architecture
    if architecture.attention.kind is AttentionKind.MLA:
        values = architecture.kv_values_per_token_per_layer  # every GPU keeps the whole latent
    else:
        heads = max(1, math.ceil(architecture.num_key_value_heads / load.tensor_parallel_size))
        values = 2 * heads * architecture.head_dim
    block_bytes = BLOCK_TOKENS * values * load.kv_value_bytes
    sliding = (architecture.sliding_window_layers or 0) if load.windows_free_blocks else 0
    full = architecture.num_hidden_layers - sliding
    blocks = full * math.ceil(tokens / BLOCK_TOKENS)
    if sliding and architecture.sliding_window:
        window = architecture.sliding_window - 1 + load.max_num_batched_tokens
        blocks += sliding * (math.ceil(min(window, tokens) / BLOCK_TOKENS) + 1)
    return math.ceil(blocks / load.pipeline_parallel_size) * block_bytes


def _activation_bytes(load: Load) -> int:
    architecture = load.architecture
    widest = max(
        architecture.intermediate_size,
        (architecture.moe_intermediate_size or 0) * (architecture.num_experts_per_tok or 1),
    )
    layer = load.max_num_batched_tokens * widest * _INTERMEDIATE_BYTES_PER_TOKEN
    logits = load.max_num_seqs * architecture.vocab_size * _LOGIT_BYTES_PER_SEQUENCE
    vision = _VISION_BYTES if architecture.multimodal else 0
    return _ACTIVATION_BASE_BYTES + layer // load.tensor_parallel_size + logits + vision


def _longest_context(load: Load, available: int) -> int:
    """The most tokens of one sequence whose KV cache fits, in whole blocks, by bisection."""
    low, high = 0, load.architecture.longest_context // BLOCK_TOKENS + 1
    while high - low > 1:
        middle = (low + high) // 2
        if kv_bytes(load, middle * BLOCK_TOKENS) <= available:
            low = middle
        else:
            high = middle
    return min(low * BLOCK_TOKENS, load.architecture.longest_context)
