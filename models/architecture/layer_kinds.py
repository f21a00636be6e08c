"""Which layers of a model attend to everything, to a window, or keep a state instead of a cache.

A window in a config.json is often inactive: switched off, set for layers that the model does not
have, or as long as the context. Only an active one is reported. A kind of layer that is not known
counts as attending to everything, so that its cache is never underestimated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from models.architecture.config_fields import Fields
from models.architecture.llm_architecture import StateLayers
from models.architecture.state_layers import state_layers


class Kind(Enum):
    """What a layer keeps of a sequence."""

    FULL = auto()
    SLIDING = auto()
    STATE = auto()
    BOTH = auto()  # a state beside a cache of every token
    NOTHING = auto()


# Values of `layer_types` and `layers_block_type`; any other attends to everything.
_NAMES: Final[Mapping[str, Kind]] = {
    "sliding_attention": Kind.SLIDING,
    "hybrid": Kind.BOTH,
    "mlp": Kind.NOTHING,
    "moe": Kind.NOTHING,
} | dict.fromkeys(
    """
    conv kda linear linear_attention mamba mamba2 minimax_linear recurrent rwkv short_conv
    """.split(),  # noqa: SIM905 - words read better than a wall of quotes
    Kind.STATE,
)
# hybrid_override_pattern of Nemotron-H, a letter a layer.
_LETTERS: Final[Mapping[str, Kind]] = {
    "M": Kind.STATE,
    "*": Kind.FULL,
    "-": Kind.NOTHING,
    "E": Kind.NOTHING,
}
# Model types whose layers list no kind: every `full_attention_interval`th attends to everything.
_INTERVALS: Final = frozenset(
    """
    qwen3_next qwen3_5 qwen3_5_moe qwen3_5_text qwen3_5_moe_text
    """.split()  # noqa: SIM905
)
_FULL_ATTENTION_INTERVAL: Final = 4
# A layer of LongCat Flash attends twice: FlashDecoderLayer in vLLM's longcat_flash.py.
_CACHES_OF_A_LAYER: Final = {"longcat_flash": 2}


@dataclass(frozen=True, kw_only=True)
class LayerKinds:
    """How many layers of each kind keep something of their own.

    window: tokens that the sliding layers keep; None if none slides.
    full: layers that keep every token.
    states: the layers that keep a state; None if there are none.
    """

    window: int | None
    sliding: int
    full: int
    states: StateLayers | None = None


def layer_kinds(fields: Fields, text_type: str, layers: int, positions: int) -> LayerKinds:
    """Return the layers by what they keep. Layers that share another's cache keep nothing."""
    caches = layers * _CACHES_OF_A_LAYER.get(text_type, 1)
    shared = min(fields.count("num_kv_shared_layers") or 0, layers - 1)
    window = _active_window(fields, text_type, positions)
    kinds = kinds_by_layer(fields, text_type, layers)
    if kinds is None:
        sliding = _alternating(fields, text_type, layers - shared) if window else 0
        return LayerKinds(
            window=window if sliding else None, sliding=sliding, full=caches - shared - sliding
        )
    own = kinds[: layers - shared]
    sliding = own.count(Kind.SLIDING) if window else 0
    states = own.count(Kind.STATE) + own.count(Kind.BOTH)
    idle = own.count(Kind.NOTHING)
    return LayerKinds(
        window=window if sliding else None,
        sliding=sliding,
        full=caches - shared - sliding - own.count(Kind.STATE) - idle,
        states=state_layers(fields, text_type, states) if states else None,
    )


def listed_layers(fields: Fields) -> int | None:
    """How many layers a list of kinds has: Nemotron-H may state no other number."""
    if fields.is_text("hybrid_override_pattern"):
        return len(fields.text("hybrid_override_pattern", default="")) or None
    return len(fields.texts("layers_block_type")) or None


def kinds_by_layer(fields: Fields, text_type: str, layers: int) -> list[Kind] | None:
    """What each layer keeps, where a list or the rule of a family says so; None if none does."""
    for name in ("layer_types", "layers_block_type"):
        if fields.has(name):
            values = fields.texts(name)
            _check_length(fields, name, values, layers)
            if values:
                return [_kind_of(value, text_type) for value in values]
    pattern = fields.flags_as_numbers("hybrid_layer_pattern")  # MiMo's: 1 for one that slides
    if pattern:
        _check_length(fields, "hybrid_layer_pattern", pattern, layers)
        return [Kind.SLIDING if flag else Kind.FULL for flag in pattern]
    types = fields.flags_as_numbers("attn_type_list")  # MiniMax's: 0 for a linear one
    if types:
        _check_length(fields, "attn_type_list", types, layers)
        return [Kind.FULL if flag else Kind.STATE for flag in types]
    rule = _RULES.get(text_type)
    return None if rule is None else rule(fields, layers)


def _kind_of(name: str, text_type: str) -> Kind:
    kind = _NAMES.get(name, Kind.FULL)
    # Only Nemotron-H has layers of a feed-forward part alone; elsewhere the name means another.
    return Kind.FULL if kind is Kind.NOTHING and text_type != "nemotron_h" else kind


def _check_length(fields: Fields, name: str, values: list[str] | list[int], layers: int) -> None:
    if values and len(values) != layers:
        raise fields.error(name, f"has {len(values)} entries for {layers} layers", value="list")


def _nemotron(fields: Fields, layers: int) -> list[Kind]:
    pattern = fields.text("hybrid_override_pattern", default=None)
    if pattern is None:
        raise fields.error("hybrid_override_pattern", "is missing")
    if len(pattern) != layers:
        raise fields.error(
            "hybrid_override_pattern", f"has {len(pattern)} entries for {layers} layers"
        )
    return [_LETTERS.get(letter, Kind.FULL) for letter in pattern]


def _every_interval(fields: Fields, layers: int) -> list[Kind]:
    interval = fields.integer("full_attention_interval", default=_FULL_ATTENTION_INTERVAL)
    return [Kind.STATE if (index + 1) % interval else Kind.FULL for index in range(layers)]


def _jamba(fields: Fields, layers: int) -> list[Kind]:
    period = fields.integer("attn_layer_period", default=8)
    offset = fields.count("attn_layer_offset")
    first = 4 if offset is None else offset
    return [Kind.FULL if index % period == first else Kind.STATE for index in range(layers)]


def _attention_at(name: str, other: Kind, chosen: Kind) -> Callable[[Fields, int], list[Kind]]:
    """Layers by the indices in a list, which start at 0."""

    def read(fields: Fields, layers: int) -> list[Kind]:
        indices = set(fields.indices(name)) if fields.has(name) else set()
        return [chosen if index in indices else other for index in range(layers)]

    return read


def _short_convolutions(fields: Fields, layers: int) -> list[Kind]:
    if not fields.has("full_attn_idxs"):
        return [Kind.FULL] * layers
    return _attention_at("full_attn_idxs", Kind.STATE, Kind.FULL)(fields, layers)


def _kimi(fields: Fields, layers: int) -> list[Kind]:
    if not fields.has("linear_attn_config"):
        return _every_interval(fields, layers)
    inner = fields.nested("linear_attn_config")
    states = set(inner.indices("kda_layers"))  # they start at 1
    return [Kind.STATE if index + 1 in states else Kind.FULL for index in range(layers)]


def _parallel(_fields: Fields, layers: int) -> list[Kind]:
    return [Kind.BOTH] * layers


_RULES: Final[Mapping[str, Callable[[Fields, int], list[Kind]]]] = {
    "bamba": _attention_at("attn_layer_indices", Kind.STATE, Kind.FULL),
    "falcon_h1": _parallel,
    "jamba": _jamba,
    "kimi_linear": _kimi,
    "lfm2": _short_convolutions,
    "lfm2_moe": _short_convolutions,
    "nemotron_h": _nemotron,
    "zamba2": _attention_at("hybrid_layer_ids", Kind.STATE, Kind.BOTH),
} | dict.fromkeys(_INTERVALS, _every_interval)


def states_window(fields: Fields, text_type: str) -> bool | None:
    """Whether a window is stated and switched on; None if a class may have one by itself."""
    # qwen2 and its relatives slide only if their config says so.
    on = fields.flag("use_sliding_window", default=not text_type.startswith("qwen"))
    if not on or fields.is_null("sliding_window"):
        return False
    return True if fields.count("sliding_window") else None


def _active_window(fields: Fields, text_type: str, positions: int) -> int | None:
    """The window in tokens, None if it is switched off or as long as the context."""
    window = fields.count("sliding_window") if states_window(fields, text_type) else None
    return window if window and window < positions else None


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
