"""The states that layers of linear attention, Mamba and short convolutions keep of a sequence.

Sizes are those of MambaStateShapeCalculator in vLLM's layers/mamba/mamba_utils.py; how many a
sequence keeps is MambaSpec.max_memory_usage_bytes in v1/kv_cache_interface.py.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from models.architecture import LlmArchitecture, StateKind, StateLayers
from models.catalog import vllm_behaviour
from planning.sizing.memory.vllm_accounting import MemoryInputs, StateCache, StateMode

_BYTES_OF_DTYPE: Final = {"float32": 4, "bfloat16": 2, "float16": 2}
# Models that can keep the state at each block: SupportsMambaPrefixCaching in vLLM.
_KEPT_BY_BLOCK: Final = (StateKind.MAMBA1, StateKind.MAMBA2)
# A graph is captured for a batch size that is a multiple of it: pad_for_cudagraph in vLLM 0.10.
_PADDED_SEQUENCES: Final = 8


def state_cache(
    architecture: LlmArchitecture, engine: Mapping[str, Any], vllm: str, value_bytes: int
) -> StateCache:
    """How a release keeps the states of a model; value_bytes: of one value of the model."""
    states = architecture.state_layers
    if states is None:
        return StateCache()
    facts = vllm_behaviour(vllm)
    convolution = _BYTES_OF_DTYPE.get(str(engine.get("mamba_cache_dtype")), value_bytes)
    own = states.value_dtype if facts.state_dtype_of_config else None
    recurrent = _BYTES_OF_DTYPE.get(
        str(engine.get("mamba_ssm_cache_dtype")), _BYTES_OF_DTYPE.get(own or "", convolution)
    )
    speculation = engine.get("speculative_config")
    tokens = speculation.get("num_speculative_tokens") if isinstance(speculation, Mapping) else None
    return StateCache(
        mode=_mode(states, engine, facts.state_cache_modes),
        convolution_value_bytes=convolution,
        value_bytes=recurrent,
        speculative_tokens=tokens if isinstance(tokens, int) and 0 < tokens < 1000 else 0,
    )


def _mode(
    states: StateLayers, engine: Mapping[str, Any], modes: Mapping[str, str | None]
) -> StateMode:
    """MambaModelConfig.verify_and_update_config: prefix caching decides whether states are kept."""
    caching = engine.get("enable_prefix_caching")
    if modes["cached"] is None or caching is False or (caching is None and not modes["default"]):
        return StateMode.NONE
    asked = engine.get("mamba_cache_mode")
    mode = asked if asked in (StateMode.ALIGN, StateMode.ALL) else modes["cached"]
    by_block = mode == StateMode.ALL and states.kind in _KEPT_BY_BLOCK
    return StateMode.ALL if by_block else StateMode.ALIGN


def state_bytes(inputs: MemoryInputs) -> int:
    """The state of one layer on one GPU; 0 for a model without."""
    states = inputs.architecture.state_layers
    if states is None:
        return 0
    degree, cache = inputs.tensor_parallel_size, inputs.state_cache
    groups = states.convolution_groups
    # A degree that does not divide the groups gives each GPU one of its own.
    groups += 0 if groups % degree == 0 else degree - groups % degree
    channels = math.ceil((states.convolution_channels + groups * states.group_channels) / degree)
    rows = states.convolution_rows + (cache.speculative_tokens if states.convolution_rows else 0)
    recurrent = math.ceil(states.num_heads / degree) * states.head_values
    return channels * rows * cache.convolution_value_bytes + recurrent * cache.value_bytes


def blocks_of_states(inputs: MemoryInputs, blocks: int) -> int:
    """Blocks that a layer keeps of a sequence whose tokens fill `blocks` blocks of attention."""
    cache = inputs.state_cache
    if cache.mode is StateMode.ALL:
        return blocks + cache.speculative_tokens
    return (2 if cache.mode is StateMode.ALIGN else 1) + cache.speculative_tokens


def resident_state_bytes(inputs: MemoryInputs) -> int:
    """States that the V0 engine allocates at once for as many sequences as it may run.

    MambaCacheManager in vLLM 0.10; the V1 engine keeps them in the KV cache.
    """
    states = inputs.architecture.state_layers
    if states is None or not inputs.accounting.v0_engine:
        return 0
    sequences = math.ceil(inputs.max_num_seqs / _PADDED_SEQUENCES) * _PADDED_SEQUENCES
    layers = states.num_layers * inputs.stage_layers / inputs.architecture.num_hidden_layers
    return math.ceil(layers) * sequences * state_bytes(inputs)
