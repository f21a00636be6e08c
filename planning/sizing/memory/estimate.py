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

from planning.plan import GIB, MemoryFit
from planning.sizing.memory.activations import activation_bytes
from planning.sizing.memory.adapters import lora_bytes
from planning.sizing.memory.cuda_graphs import graph_bytes
from planning.sizing.memory.images import image_margin_bytes
from planning.sizing.memory.kv_cache import (
    BLOCK_TOKENS,
    blocks_bytes,
    kv_bytes,
    longest_context,
    token_bytes,
)
from planning.sizing.memory.state_cache import resident_state_bytes
from planning.sizing.memory.vllm_accounting import (
    A100,
    HOPPER,
    TURING,
    Accounting,
    MemoryInputs,
    accounting,
)
from planning.sizing.memory.weights import weight_bytes_per_gpu

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

# Held outside PyTorch by each of several GPUs; fitted. V0: 0.3 to 0.43 GiB. V1: 0.06 on GPUs
# without NVLink; on A100 0.25 for two, some 0.4 for four; on Hopper 0.55 for two, and 2.3 for
# eight, whose NVSwitch NCCL uses. If all-reduce is fused there, 2.07 to 2.10 for two and up to
# 2.21 for more.
_V0_PARALLEL_RUNTIME_BYTES: Final = int(0.45 * GIB)
_PARALLEL_RUNTIME_BYTES: Final = int(0.3 * GIB)
_A100_RUNTIME_OF_MANY_BYTES: Final = int(0.45 * GIB)
_HOPPER_RUNTIME_BYTES: Final = int(0.6 * GIB)
_HOPPER_RUNTIME_OF_MANY_BYTES: Final = int(2.3 * GIB)
_PIPELINE_RUNTIME_BYTES: Final = int(0.1 * GIB)  # stages that share no layer: 0.07 GiB on H100
_FUSED_RUNTIME_BYTES: Final = int(2.1 * GIB)
_FUSED_RUNTIME_OF_MANY_BYTES: Final = int(2.2 * GIB)
# The CUDA context, which exists before vLLM measures: 0.38 to 0.61 GiB ("Free memory on device").
CONTEXT_BYTES: Final = int(0.5 * GIB)
LEAST_CONTEXT_BYTES: Final = int(0.3 * GIB)
# The error of the estimate (tests/planning/sizing/test_memory_calibration.py): a verdict
# closer than this is in doubt. Activations and runtime are estimated; the rest is arithmetic.
_MARGIN_BYTES: Final = int(0.15 * GIB)
_MARGIN_SHARE: Final = 0.1
# vLLM estimates its graphs from two of them, and charges the budget with that: in 3 of 61 starts it
# is above this by more than the margin, up to 0.9 GiB (estimated_graphs in the points).
_GRAPH_MARGIN_SHARE: Final = 0.25
# Turing runs FlashInfer's or Triton's attention, whose buffers differ by release; three logs of it.
_TURING_MARGIN_BYTES: Final = int(0.1 * GIB)
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
    activations = activation_bytes(inputs) + resident_state_bytes(inputs)
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
    if inputs.accounting.graphs_in_budget:
        margin += int(_GRAPH_MARGIN_SHARE * graphs)
    if inputs.compute_capability == TURING:
        margin += _TURING_MARGIN_BYTES
    if inputs.architecture.state_layers is not None:
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
        state_block_bytes=blocks_bytes(inputs, 1) if _states_bound_sequences(inputs) else 0,
    )


def _states_bound_sequences(inputs: MemoryInputs) -> bool:
    """Whether vLLM starts only if each sequence that may run has a block for its states.

    It does where it captures whole decode steps as CUDA graphs (resolve_cudagraph_mode_and_sizes).
    """
    kept = inputs.architecture.state_layers is not None
    return kept and inputs.accounting.states_bound_sequences and not inputs.enforce_eager


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


def _runtime_bytes(inputs: MemoryInputs) -> int:
    if inputs.gpus == 1:
        return inputs.accounting.runtime_bytes
    if inputs.tensor_parallel_size == 1 and not inputs.accounting.v0_engine:
        return _PIPELINE_RUNTIME_BYTES
    many = inputs.tensor_parallel_size > 2
    if inputs.compute_capability < HOPPER:
        if inputs.accounting.v0_engine:
            return _V0_PARALLEL_RUNTIME_BYTES
        of_many = many and inputs.compute_capability == A100
        return _A100_RUNTIME_OF_MANY_BYTES if of_many else _PARALLEL_RUNTIME_BYTES
    if not inputs.accounting.fused_all_reduce or inputs.tensor_parallel_size == 1:
        return _HOPPER_RUNTIME_OF_MANY_BYTES if many else _HOPPER_RUNTIME_BYTES
    return _FUSED_RUNTIME_OF_MANY_BYTES if many else _FUSED_RUNTIME_BYTES
