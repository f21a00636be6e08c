"""What each layer of a model keeps of a sequence on one GPU, and in how large blocks.

vLLM's hybrid KV cache manager puts layers of one kind into groups of equal size, and gives all of
them blocks of one size (v1/core/kv_cache_utils.py).
"""

import math
from dataclasses import dataclass
from typing import Final

from models.architecture import AttentionKind, LinearAttention, LlmArchitecture
from planning.sizing.memory.vllm_accounting import MemoryInputs

_ALIGNMENT_TOKENS: Final = 16  # a block of attention is a multiple of it
_CONVOLUTION_BYTES: Final = 2
# The indexer of sparse attention keeps a byte a value, and a scale of 4 bytes for 128 of them:
# DeepseekV32IndexerCache in vLLM's deepseek_v2.py.
_INDEX_GROUP: Final = 128
_INDEX_SCALE_BYTES: Final = 4


@dataclass(frozen=True, kw_only=True)
class CacheLayers:
    """The layers of the largest pipeline stage by what they keep.

    full, sliding, linear: layers that keep every token, a window, or a state of fixed size.
    block_tokens: tokens of one block; full_block_bytes, sliding_block_bytes: what it takes in a
        layer.
    """

    full: int
    sliding: int
    linear: int
    block_tokens: int
    full_block_bytes: int
    sliding_block_bytes: int

    @property
    def group(self) -> int:
        """Layers of one group: those of the rarest kind."""
        return min(count for count in (self.full, self.sliding, self.linear) if count)

    def groups(self, count: int) -> int:
        """Groups of a kind of which there are `count` layers; the last one is padded."""
        return math.ceil(count / self.group)

    @property
    def token_bytes(self) -> int:
        """One token with every layer of attention counted in full."""
        every = self.full * self.full_block_bytes + self.sliding * self.sliding_block_bytes
        return every // self.block_tokens


def cache_layers(inputs: MemoryInputs) -> CacheLayers:
    """The layers of the largest stage. Layers that share another's cache keep nothing."""
    architecture = inputs.architecture
    sliding = (architecture.sliding_window_layers or 0) if architecture.sliding_window else 0
    state = architecture.linear_attention
    linear = state.num_layers if state else 0
    every = architecture.num_hidden_layers
    full = architecture.full_attention_layers
    keeping = every if full is None else full + sliding + linear

    def of_stage(count: int) -> int:
        return count * inputs.stage_layers // every

    idle = of_stage(every - keeping)
    full_of_stage = inputs.stage_layers - of_stage(sliding) - of_stage(linear) - idle
    token = _full_token_bytes(inputs)
    tokens = inputs.block_tokens
    if state is not None:
        aligned = _ALIGNMENT_TOKENS * token
        tokens = max(tokens, _ALIGNMENT_TOKENS * math.ceil(_state_bytes(inputs, state) / aligned))
    return CacheLayers(
        full=full_of_stage,
        sliding=of_stage(sliding),
        linear=of_stage(linear),
        block_tokens=tokens,
        full_block_bytes=tokens * token,
        sliding_block_bytes=tokens * _sliding_token_bytes(inputs),
    )


def _full_token_bytes(inputs: MemoryInputs) -> int:
    """One token of one layer that keeps all tokens, on one GPU."""
    architecture = inputs.architecture
    if architecture.attention.kind is AttentionKind.MLA:
        # every GPU keeps the whole latent
        latent = architecture.kv_values_per_token_per_layer * inputs.kv_value_bytes
        return latent + _index_bytes(architecture)
    size, value_size = architecture.head_dim, architecture.v_head_dim
    return _head_bytes(inputs, architecture.num_key_value_heads, size, value_size)


def _sliding_token_bytes(inputs: MemoryInputs) -> int:
    architecture = inputs.architecture
    if architecture.sliding_head_dim is None:
        return _full_token_bytes(inputs)
    heads = architecture.sliding_num_key_value_heads or architecture.num_key_value_heads
    value_size = architecture.sliding_v_head_dim
    return _head_bytes(inputs, heads, architecture.sliding_head_dim, value_size)


def _head_bytes(inputs: MemoryInputs, heads: int, size: int, value_size: int | None) -> int:
    on_gpu = max(1, math.ceil(heads / inputs.tensor_parallel_size))
    return on_gpu * (size + (value_size or size)) * inputs.kv_value_bytes


def _index_bytes(architecture: LlmArchitecture) -> int:
    size = architecture.index_head_dim
    return size + _INDEX_SCALE_BYTES * math.ceil(size / _INDEX_GROUP) if size else 0


def _state_bytes(inputs: MemoryInputs, state: LinearAttention) -> int:
    """The state of one layer of a gated delta net: gated_delta_net_state_shape in vLLM."""
    degree = inputs.tensor_parallel_size
    keys = state.key_head_dim * state.num_key_heads
    values = state.value_head_dim * state.num_value_heads
    convolution = math.ceil((2 * keys + values) / degree) * (state.conv_kernel_dim - 1)
    heads = math.ceil(state.num_value_heads / degree)
    recurrent = heads * state.value_head_dim * state.key_head_dim
    return convolution * _CONVOLUTION_BYTES + recurrent * state.state_value_bytes
