"""What each layer of a model keeps of a sequence on one GPU, and in how large blocks.

vLLM's hybrid KV cache manager puts layers of one kind into groups of equal size, and gives all of
them blocks of one size (v1/core/kv_cache_utils.py). Where layers keep a state, a block of attention
holds at least as many tokens as are as large as a state, and the state is padded to it
(_align_hybrid_block_size in platforms/interface.py, before HybridAttentionMambaModelConfig).
"""

import math
from dataclasses import dataclass
from typing import Final

from models.architecture import AttentionKind, LlmArchitecture
from planning.sizing.memory.state_cache import state_bytes
from planning.sizing.memory.vllm_accounting import MemoryInputs, StateMode

_ALIGNMENT_TOKENS: Final = 16  # a block of attention is a multiple of it
_LATENT_ALIGNMENT_TOKENS: Final = 128  # of latent attention beside states; 64 before vLLM 0.27
# The indexer of sparse attention over a latent keeps a byte a value, and a scale of 4 bytes for 128
# of them: DeepseekV32IndexerCache in vLLM's deepseek_v2.py. MiniMax M3's keeps 16 bits a value:
# MiniMaxM3IndexerCache in models/minimax_m3.
_INDEX_GROUP: Final = 128
_INDEX_SCALE_BYTES: Final = 4
_INDEX_VALUE_BYTES: Final = 2


@dataclass(frozen=True, kw_only=True)
class CacheLayers:
    """The layers of the largest pipeline stage by what they keep.

    full, sliding, states: layers that keep every token, a window, or a state of fixed size.
    block_tokens: tokens of one block; full_block_bytes, sliding_block_bytes: what it takes in a
        layer.
    slack: how many times the rarest kind the commonest may have and still share its groups.
    """

    full: int
    sliding: int
    states: int
    block_tokens: int
    full_block_bytes: int
    sliding_block_bytes: int
    slack: float

    @property
    def group(self) -> int:
        """Layers of one group: those of the rarest kind, unless all kinds are about as common."""
        counts = [count for count in (self.full, self.sliding, self.states) if count]
        largest, smallest = max(counts), min(counts)
        return largest if largest < smallest * self.slack else smallest

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
    kept = architecture.state_layers
    states = kept.num_layers if kept else 0
    every = architecture.num_hidden_layers
    full = architecture.full_attention_layers
    if full is None:
        full = every - sliding

    def of_stage(count: int) -> int:
        return count * inputs.stage_layers // every

    # Below 0 if layers keep a state beside a cache.
    idle = of_stage(every - full - sliding - states)
    full_of_stage = inputs.stage_layers - of_stage(sliding) - of_stage(states) - idle
    token = _full_token_bytes(inputs)
    tokens = inputs.block_tokens
    if kept is not None and not inputs.accounting.v0_engine:
        tokens = _aligned_tokens(inputs, token, kept.chunk_tokens)
    return CacheLayers(
        full=full_of_stage,
        sliding=of_stage(sliding),
        states=of_stage(states),
        block_tokens=tokens,
        full_block_bytes=tokens * token,
        sliding_block_bytes=tokens * _sliding_token_bytes(inputs),
        slack=inputs.accounting.group_slack,
    )


def _aligned_tokens(inputs: MemoryInputs, token: int, chunk_tokens: int) -> int:
    """Tokens of a block that is no smaller than a state."""
    latent = inputs.architecture.attention.kind is AttentionKind.MLA
    least = max(inputs.block_tokens, _LATENT_ALIGNMENT_TOKENS if latent else _ALIGNMENT_TOKENS)
    if inputs.state_cache.mode is StateMode.ALL and chunk_tokens:
        least = math.lcm(least, chunk_tokens)
    return least * math.ceil(state_bytes(inputs) / (least * token))


def _full_token_bytes(inputs: MemoryInputs) -> int:
    """One token of one layer that keeps all tokens, on one GPU."""
    architecture = inputs.architecture
    if architecture.attention.kind is AttentionKind.MLA:
        # every GPU keeps the whole latent
        latent = architecture.kv_values_per_token_per_layer * inputs.kv_value_bytes
        return latent + _index_bytes(inputs, architecture)
    size, value_size = architecture.head_dim, architecture.v_head_dim
    heads = _head_bytes(inputs, architecture.num_key_value_heads, size, value_size)
    return heads + _index_bytes(inputs, architecture)


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


def _index_bytes(inputs: MemoryInputs, architecture: LlmArchitecture) -> int:
    """The indexer's keys of one token, spread over all layers if only some have an indexer."""
    size = architecture.index_head_dim
    if not size:
        return 0
    own = size * _INDEX_VALUE_BYTES
    if architecture.attention.kind is AttentionKind.MLA:
        own = size + _INDEX_SCALE_BYTES * math.ceil(size / _INDEX_GROUP)
        if not inputs.accounting.shares_indexers:
            return own
    layers = architecture.index_layers or architecture.num_hidden_layers
    return math.ceil(own * layers / architecture.num_hidden_layers)
