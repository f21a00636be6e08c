"""Which layers of a model attend to everything, to a window, or keep a state instead of a cache.

A window in a config.json is often inactive: switched off, set for layers that the model does not
have, or as long as the context. Only an active one is reported. A kind of layer that is not known
counts as attending to everything, so that its cache is never underestimated.
"""

from dataclasses import dataclass
from typing import Final

from models.architecture.config_fields import Fields
from models.architecture.llm_architecture import LinearAttention

# Values of `layer_types`, and of the lists that families wrote before there was that name.
_SLIDING: Final = frozenset({"sliding_attention"})
_LINEAR: Final = "linear_attention"
# Layers without a cache of attention heads whose state is not computed here.
_OTHER_STATES: Final = frozenset(
    """
    conv hybrid kda linear mamba mamba2 minimax_linear moe recurrent rwkv short_conv
    """.split()  # noqa: SIM905 - words read better than a wall of quotes
)
# Model types whose linear layers are gated delta nets, and a default of `full_attention_interval`.
GATED_DELTA_NETS: Final = frozenset(
    """
    qwen3_next qwen3_5 qwen3_5_moe qwen3_5_text qwen3_5_moe_text
    """.split()  # noqa: SIM905
)
_FULL_ATTENTION_INTERVAL: Final = 4
# A layer of LongCat Flash attends twice: FlashDecoderLayer in vLLM's longcat_flash.py.
_CACHES_OF_A_LAYER: Final = {"longcat_flash": 2}
_STATE_BYTES_OF_DTYPE: Final = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, kw_only=True)
class LayerKinds:
    """How many layers of each kind keep something of their own.

    window: tokens that the sliding layers keep; None if none slides.
    full: layers that keep every token.
    linear: the layers that keep a state instead; None if there are none.
    """

    window: int | None
    sliding: int
    full: int
    linear: LinearAttention | None = None


def layer_kinds(fields: Fields, text_type: str, layers: int, positions: int) -> LayerKinds:
    """Return the layers by what they keep. Layers that share another's cache keep nothing."""
    caches = layers * _CACHES_OF_A_LAYER.get(text_type, 1)
    shared = min(fields.count("num_kv_shared_layers") or 0, layers - 1)
    if text_type in GATED_DELTA_NETS:
        return _with_linear(fields, layers)
    window = _active_window(fields, text_type, positions)
    kinds = _kinds_by_layer(fields, layers)
    if kinds is not None:
        sliding = sum(kinds[: layers - shared]) if window else 0
    else:
        sliding = _alternating(fields, text_type, layers - shared) if window else 0
    return LayerKinds(
        window=window if sliding else None, sliding=sliding, full=caches - shared - sliding
    )


def _active_window(fields: Fields, text_type: str, positions: int) -> int | None:
    """The window in tokens, None if it is switched off or as long as the context."""
    if not fields.flag("use_sliding_window", default=True):
        return None
    # qwen2 and its relatives slide only if their config says so.
    if text_type.startswith("qwen") and not fields.flag("use_sliding_window", default=False):
        return None
    window = fields.count("sliding_window")
    return window if window and window < positions else None


def _kinds_by_layer(fields: Fields, layers: int) -> list[bool] | None:
    """Whether each layer slides, where a list says so; None if there is no list.

    `hybrid_layer_pattern` is MiMo's: 1 for a layer that slides.
    """
    layer_types = fields.texts("layer_types")
    pattern = fields.flags_as_numbers("hybrid_layer_pattern")
    for name, values in (("layer_types", layer_types), ("hybrid_layer_pattern", pattern)):
        if values and len(values) != layers:
            raise fields.error(name, f"has {len(values)} entries for {layers} layers", value="list")
    if other := {_LINEAR, *_OTHER_STATES} & set(layer_types):
        raise fields.not_computed(
            "layer_types", "holds layers whose state the fit cannot compute", value=min(other)
        )
    if layer_types:
        return [kind in _SLIDING for kind in layer_types]
    return [number == 1 for number in pattern] or None


def _alternating(fields: Fields, text_type: str, layers: int) -> int:
    """How many layers slide by the rule of their family; without a rule all do, as in vLLM."""
    if text_type.startswith("qwen"):
        first = fields.count("max_window_layers")
        return max(layers - (layers if first is None else first), 0)
    if text_type in ("gemma2", "gpt_oss"):
        return (layers + 1) // 2
    default = {"gemma3_text": 6, "cohere2": 4, "gemma3n_text": 5, "gemma4_text": 6}.get(text_type)
    pattern = fields.integer("sliding_window_pattern", default=default or 1)
    # Every `pattern`th layer attends to everything; without a pattern all layers slide.
    return layers - layers // pattern if pattern > 1 else layers


def _with_linear(fields: Fields, layers: int) -> LayerKinds:
    layer_types = fields.texts("layer_types")
    if layer_types and len(layer_types) != layers:
        raise fields.error(
            "layer_types", f"has {len(layer_types)} entries for {layers} layers", value="list"
        )
    interval = fields.integer("full_attention_interval", default=_FULL_ATTENTION_INTERVAL)
    linear = layer_types.count(_LINEAR) if layer_types else layers - layers // interval
    if not linear:
        return LayerKinds(window=None, sliding=0, full=layers)
    dtype = fields.text("mamba_ssm_dtype", default="float32") or "float32"
    state = LinearAttention(
        num_layers=linear,
        num_key_heads=fields.integer("linear_num_key_heads"),
        num_value_heads=fields.integer("linear_num_value_heads"),
        key_head_dim=fields.integer("linear_key_head_dim"),
        value_head_dim=fields.integer("linear_value_head_dim"),
        conv_kernel_dim=fields.integer("linear_conv_kernel_dim"),
        state_value_bytes=_STATE_BYTES_OF_DTYPE.get(dtype, 4),
    )
    return LayerKinds(window=None, sliding=0, full=layers - linear, linear=state)
