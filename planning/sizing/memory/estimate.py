"""Whether a model fits on a GPU: weights, activations, the runtime's share, KV cache, CUDA graphs.

All sums are for one GPU of a replica, in bytes. The formula is vLLM's own accounting:
`utilization x memory` is the budget; weights, the peak of a profiling run and what NCCL and
others hold outside PyTorch are taken from it, and the rest becomes KV cache. The CUDA context
and, before vLLM 0.21, the CUDA graphs live in what the budget leaves of the GPU.

Constants called fitted are fitted to public load logs: tests/planning/sizing/memory_points.yaml.
"""

import math
from functools import lru_cache
from typing import Final

from models.architecture import AttentionKind
from planning.plan import GIB, MemoryFit
from planning.sizing.memory.activations import activation_bytes
from planning.sizing.memory.adapters import lora_bytes
from planning.sizing.memory.images import encoder_bytes, image_margin_bytes
from planning.sizing.memory.kv_cache import (
    BLOCK_TOKENS,
    blocks_bytes,
    kv_bytes,
    longest_context,
    token_bytes,
)
from planning.sizing.memory.vllm_accounting import Accounting, MemoryInputs, accounting

__all__ = [
    "BLOCK_TOKENS",
    "Accounting",
    "MemoryInputs",
    "accounting",
    "graph_bytes",
    "kv_bytes",
    "memory_fit",
    "token_bytes",
    "weight_bytes_per_gpu",
]

_TABLE_VALUE_BYTES: Final = 2  # embeddings and lm_head stay 16-bit in quantized checkpoints
_LOADER_BYTES: Final = int(0.03 * GIB)  # allocator rounding and small buffers; fitted
# Marlin's workspaces and permuted scales: QwQ-32B-AWQ loads at 18.15 GiB instead of 18.00,
# Qwen2.5-Coder-14B-AWQ at 9.38 instead of 9.29 (vLLM load logs).
_PACKED_OVERHEAD: Final = 0.009
# Each shard of gpt-oss's experts is padded to the MXFP4 kernel's tile: 17.22 instead of 16.49 GiB
# a GPU at tensor parallelism 4.
_PADDED_SHARDS: Final = 0.045
# Gemma 3 with its vision tower loads 0.36 to 0.61 GiB above its checkpoint's tensors; fitted.
_GEMMA_VISION_BYTES: Final = int(0.55 * GIB)
# Held outside PyTorch by each of several GPUs; fitted: 0.3 to 0.43 GiB, 0.55 on Hopper, and 2.1
# if all-reduce is fused there.
_PARALLEL_RUNTIME_BYTES: Final = int(0.45 * GIB)
_HOPPER_RUNTIME_BYTES: Final = int(0.6 * GIB)
_PIPELINE_RUNTIME_BYTES: Final = int(0.1 * GIB)  # stages that share no layer: 0.07 GiB on H100
_FUSED_RUNTIME_BYTES: Final = int(2.2 * GIB)
_HOPPER: Final = (9, 0)
# The CUDA context, which exists before vLLM measures: 0.38 to 0.61 GiB ("Free memory on device").
CONTEXT_BYTES: Final = int(0.5 * GIB)
LEAST_CONTEXT_BYTES: Final = int(0.3 * GIB)
# CUDA graphs, for each captured size and layer, and for the first capture. Fitted to vLLM's
# estimates in its log: 0.21 and 0.25 MiB piecewise, 0.15 and 0.17 MiB full, 0.15 to 0.4 GiB.
_PIECEWISE_GRAPH_BYTES: Final = int(0.25 * 1024**2)
_FULL_GRAPH_BYTES: Final = int(0.17 * 1024**2)
_FIRST_GRAPH_BYTES: Final = int(0.15 * GIB)
# The error of the estimate (tests/planning/sizing/test_memory_calibration.py): a verdict
# closer than this is in doubt. Activations and runtime are estimated; the rest is arithmetic.
_MARGIN_BYTES: Final = int(0.15 * GIB)
_MARGIN_SHARE: Final = 0.1
# Linear attention computes a step in chunks, each with a state of every head: some 0.2 GiB for
# 8,192 tokens of Qwen3.5 27B. No log shows its peak.
_LINEAR_MARGIN_BYTES: Final = int(0.3 * GIB)
# A draft whose sizes are assumed may be half as large again: heads differ in the vocabulary that
# they keep (32,000 entries or the model's own) and in the width of their layer.
_DRAFT_MARGIN_SHARE: Final = 0.5


@lru_cache(maxsize=4096)  # asked again by each check, and by each model of the same architecture
def memory_fit(inputs: MemoryInputs) -> MemoryFit:
    """The memory of one GPU of a replica under this load."""
    draft, adapters = _draft_bytes(inputs), lora_bytes(inputs)
    weights = weight_bytes_per_gpu(inputs) + draft + adapters
    activations = activation_bytes(inputs)
    runtime = _runtime_bytes(inputs)
    graphs = graph_bytes(inputs)
    spent = weights + activations + runtime
    if inputs.accounting.graphs_in_budget:
        spent += graphs
    budget = math.floor(inputs.budget_bytes)
    available = budget - spent
    stated = _stated_cache(inputs)
    if stated is not None:
        available, budget = stated, spent + stated
    per_sequence = kv_bytes(inputs, inputs.max_model_len)
    margin = _MARGIN_BYTES + int(_MARGIN_SHARE * (activations + runtime))
    margin += image_margin_bytes(inputs)
    if inputs.architecture.linear_attention is not None:
        margin += _LINEAR_MARGIN_BYTES
    if inputs.draft is not None and inputs.draft.assumed:
        margin += int(_DRAFT_MARGIN_SHARE * draft)
    if stated is not None:
        margin = 0  # it is what vLLM allocates, whatever the rest takes
    return MemoryFit(
        budget_bytes=budget,
        weight_bytes=weights,
        activation_bytes=activations,
        runtime_bytes=runtime,
        graph_bytes=graphs,
        graphs_in_budget=inputs.accounting.graphs_in_budget,
        outside_bytes=math.floor(inputs.gpu_bytes) - budget,
        kv_available_bytes=available,
        kv_per_sequence_bytes=per_sequence,
        concurrent_sequences=_at_once(inputs, available, per_sequence),
        longest_context=longest_context(inputs, available),
        sure_context=longest_context(inputs, available - margin),
        margin_bytes=margin,
        draft_bytes=draft,
        lora_bytes=adapters,
        kv_stated=stated is not None,
    )


def _at_once(inputs: MemoryInputs, available: int, per_sequence: int) -> float:
    """Sequences of full length that run at once: as many as a step holds if nothing is kept."""
    if per_sequence == 0:
        of_a_step = inputs.max_num_batched_tokens / inputs.max_model_len
        return min(float(inputs.max_num_seqs), of_a_step)
    return max(0.0, available / per_sequence)


def _stated_cache(inputs: MemoryInputs) -> int | None:
    """The KV cache of a GPU as it is stated; None if vLLM takes what the rest leaves.

    Blocks win over bytes (may_override_num_blocks in v1/core/kv_cache_utils.py). V1 never gives
    out the first block.
    """
    if inputs.kv_cache_blocks is not None:
        null_blocks = 0 if inputs.accounting.v0_engine else 1
        return blocks_bytes(inputs, max(0, inputs.kv_cache_blocks - null_blocks))
    return None if inputs.accounting.v0_engine else inputs.kv_cache_bytes


def _draft_bytes(inputs: MemoryInputs) -> int:
    """Weights of the draft on one GPU."""
    if inputs.draft is None:
        return 0
    return math.ceil(inputs.draft.weight_bytes / inputs.draft_tensor_parallel_size)


def weight_bytes_per_gpu(inputs: MemoryInputs) -> int:
    """Weights on the GPU that holds most of them, as vLLM reports "Model loading took".

    With pipeline parallelism, the stage with most layers and one embedding table: the first
    holds the embeddings, the last the output head.
    """
    architecture = inputs.architecture
    total = inputs.weight_bytes * (1 + (_PACKED_OVERHEAD if inputs.packed_weights else 0))
    if architecture.model_type == "gpt_oss" and inputs.tensor_parallel_size > 1:
        total *= 1 + _PADDED_SHARDS
    if architecture.model_type.startswith("gemma3") and architecture.multimodal:
        total += _GEMMA_VISION_BYTES
    if inputs.pipeline_parallel_size > 1:
        table = architecture.vocab_size * architecture.hidden_size * _TABLE_VALUE_BYTES
        tables = table if architecture.tie_word_embeddings else 2 * table
        layers = max(0.0, total - tables) / architecture.num_hidden_layers
        total = min(total, layers * inputs.stage_layers + table)
    # A GPU may hold the encoder of images whole.
    encoder = min(encoder_bytes(inputs), total / 2)
    share = math.ceil((total - encoder) / inputs.tensor_parallel_size + encoder)
    return max(0, share - inputs.offloaded_bytes) + _rotary_bytes(inputs) + _LOADER_BYTES


def graph_bytes(inputs: MemoryInputs) -> int:
    """CUDA graphs of one GPU; 0 if the engine runs eagerly."""
    if inputs.enforce_eager:
        return 0
    limits = (inputs.max_num_seqs, inputs.max_num_batched_tokens)
    sizes = inputs.accounting.graph_sizes(*limits)
    one = _FULL_GRAPH_BYTES if inputs.accounting.v0_engine else _PIECEWISE_GRAPH_BYTES
    # Whole decode steps, of which a model that pools has none.
    full_sizes = 0 if inputs.pools else inputs.accounting.full_graph_sizes(*limits)
    full = full_sizes * _FULL_GRAPH_BYTES
    return _FIRST_GRAPH_BYTES + inputs.stage_layers * (sizes * one + full)


def _rotary_bytes(inputs: MemoryInputs) -> int:
    """The table of rotary embeddings, which every GPU holds whole, in 16 bit."""
    architecture = inputs.architecture
    size = architecture.head_dim
    if architecture.attention.kind is AttentionKind.MLA:
        size = architecture.attention.qk_rope_head_dim or size
    return architecture.max_position_embeddings * size * _TABLE_VALUE_BYTES


def _runtime_bytes(inputs: MemoryInputs) -> int:
    if inputs.gpus == 1:
        return inputs.accounting.runtime_bytes
    if inputs.tensor_parallel_size == 1 and not inputs.accounting.v0_engine:
        return _PIPELINE_RUNTIME_BYTES
    if inputs.compute_capability < _HOPPER:
        return _PARALLEL_RUNTIME_BYTES
    fused = inputs.accounting.fused_all_reduce and inputs.tensor_parallel_size > 1
    return _FUSED_RUNTIME_BYTES if fused else _HOPPER_RUNTIME_BYTES
