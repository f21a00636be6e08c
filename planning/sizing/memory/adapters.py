"""What LoRA adapters take on one GPU: slots that vLLM allocates when it loads the model.

Each slot holds the two low-rank matrices of every layer that can be adapted, at the largest rank,
whatever the adapters really have: `create_lora_weights` in vllm/lora/layers. All projections count,
and the tables of tokens, though some families adapt fewer. Host memory holds further adapters.
"""

from collections.abc import Mapping
from typing import Any, Final

from planning.sizing.memory.vllm_accounting import LoraSlots, MemoryInputs

# LoRAConfig of every vLLM release of the table.
DEFAULT_RANK: Final = 16
_DEFAULT_SLOTS: Final = 1
_EXTRA_VOCABULARY: Final = 256


def lora_slots(engine: Mapping[str, Any]) -> LoraSlots | None:
    """The slots that the engine arguments ask for; None without LoRA."""
    if engine.get("enable_lora") is not True:
        return None
    return LoraSlots(
        count=_at_least_one(engine.get("max_loras"), _DEFAULT_SLOTS),
        rank=_at_least_one(engine.get("max_lora_rank"), DEFAULT_RANK),
    )


def _at_least_one(value: object, default: int) -> int:
    """A stated count; the default if it is none, which is reported elsewhere."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return value if is_count and isinstance(value, int) else default


def lora_bytes(inputs: MemoryInputs) -> int:
    """Bytes of all slots on one GPU; 0 without LoRA."""
    slots = inputs.lora
    if slots is None:
        return 0
    values = inputs.stage_layers * _layer_values(inputs) + _table_values(inputs)
    return slots.count * slots.rank * values * inputs.value_bytes


def _layer_values(inputs: MemoryInputs) -> int:
    """Values of one layer for each unit of rank.

    Tensor parallelism divides the outputs of column-parallel and the inputs of row-parallel layers;
    the other matrix of each pair is whole on every GPU.
    """
    architecture, degree = inputs.architecture, inputs.tensor_parallel_size
    hidden = architecture.hidden_size
    query = architecture.num_attention_heads * architecture.head_dim // degree
    keys = max(1, architecture.num_key_value_heads // degree) * architecture.head_dim
    attention = (3 * hidden + query + 2 * keys) + (query + hidden)
    dense = _feed_forward(hidden, architecture.intermediate_size // degree)
    experts = architecture.num_experts
    if not experts:
        return attention + dense
    width = (architecture.moe_intermediate_size or architecture.intermediate_size) // degree
    shared = _feed_forward(hidden, width * (architecture.num_shared_experts or 0))
    adapted = experts if inputs.accounting.lora_of_experts else 0
    of_experts = shared + adapted * _feed_forward(hidden, width)
    return attention + max(of_experts, dense if not adapted else 0)


def _feed_forward(hidden: int, width: int) -> int:
    """Gate and up projections, each with an input of its own, and the down projection."""
    return (2 * hidden + 2 * width) + (width + hidden)


def _table_values(inputs: MemoryInputs) -> int:
    """The table of tokens and the output head, which every GPU holds whole."""
    vocabulary = inputs.architecture.vocab_size + _EXTRA_VOCABULARY
    return 2 * (vocabulary + inputs.architecture.hidden_size)
