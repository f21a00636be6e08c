"""The memory of CUDA graphs on one GPU: what vLLM captures at the start, and how much it takes.

vLLM captures the largest batch first, into a pool of memory that the smaller ones share: the
activations of that step, and the partial results of attention. Each graph besides costs the driver
some memory for every kernel in it. Constants called fitted are fitted to the rows of
tests/planning/sizing/memory_points.yaml that are not held out.
"""

from typing import Final

from models.architecture import AttentionKind
from planning.sizing.memory.vllm_accounting import HOPPER, TURING, MemoryInputs, step_bytes

_MEBIBYTE: Final = 1024**2
# Of the driver, and of what every pool holds whatever the model; fitted.
_POOL_BYTES: Final = 84 * _MEBIBYTE
# Of the kernels of one layer in one graph; fitted. Experts add routing, sorting and a second
# product, shared experts run on a stream of their own, gpt-oss routes by many small kernels.
_LAYER_BYTES: Final = int(0.175 * _MEBIBYTE)
_EXPERTS_BYTES: Final = int(0.225 * _MEBIBYTE)
_SHARED_EXPERTS_BYTES: Final = int(0.36 * _MEBIBYTE)
_GPT_OSS_BYTES: Final = int(0.335 * _MEBIBYTE)
# FlashAttention 3 splits a sequence that it decodes into as many parts, and keeps a 32-bit result
# of each: flash_attn_max_num_splits_for_cuda_graph, vllm/config/attention.py.
_SPLITS: Final = 32
_RESULT_BYTES: Final = 4
# FlashInfer's attention, which Turing has, plans each size in buffers of its own; one log of a T4.
_FLASHINFER_BYTES: Final = 256 * _MEBIBYTE


def graph_bytes(inputs: MemoryInputs) -> int:
    """CUDA graphs of one GPU; 0 if the engine runs eagerly."""
    if inputs.enforce_eager:
        return 0
    accounting = inputs.accounting
    largest = accounting.largest_graph(inputs)
    # Whole decode steps, of which a model that pools has none.
    largest_full = 0 if inputs.pools else accounting.largest_full_graph(inputs)
    graphs = accounting.graph_sizes(largest) + accounting.graph_sizes(largest_full)
    kernels = graphs * inputs.stage_layers * _layer_bytes(inputs)
    attention = _split_bytes(inputs, largest_full)
    if inputs.compute_capability == TURING and not accounting.v0_engine:
        attention = _FLASHINFER_BYTES
    return _POOL_BYTES + step_bytes(inputs, largest) + attention + kernels


def _layer_bytes(inputs: MemoryInputs) -> int:
    architecture = inputs.architecture
    if architecture.model_type == "gpt_oss":
        return _GPT_OSS_BYTES
    if not architecture.num_experts:
        return _LAYER_BYTES
    return _SHARED_EXPERTS_BYTES if architecture.num_shared_experts else _EXPERTS_BYTES


def _split_bytes(inputs: MemoryInputs, tokens: int) -> int:
    """The partial results of a decoding step, where attention is FlashAttention 3."""
    architecture = inputs.architecture
    # Gemma 3 looks at an image in both directions, which takes Triton's attention.
    both_directions = architecture.multimodal and architecture.model_type.startswith("gemma3")
    if inputs.compute_capability != HOPPER or both_directions or inputs.value_bytes > 2:
        return 0
    size = architecture.v_head_dim or architecture.head_dim
    if architecture.attention.kind is AttentionKind.MLA:
        size = architecture.attention.kv_lora_rank or size
    heads = -(-architecture.num_attention_heads // inputs.tensor_parallel_size)
    return _SPLITS * tokens * heads * size * _RESULT_BYTES
