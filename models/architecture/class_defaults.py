"""What a config.json may leave to its class: class_defaults.json, read when the first one is.

The main dimensions are taken from a class only inside a nested text_config, which transformers
writes without the values that equal the class's. Of a flat file their absence means another file,
and that of experts a dense model. Of both the absence of a window means none. Families of which
that is not true are in LEFT_TO_CLASS.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from models.architecture.model_families import LEFT_TO_CLASS, OLDER_TYPES

_FILE: Final = Path(__file__).with_name("class_defaults.json")
_MAIN: Final = frozenset(
    """
    hidden_size intermediate_size max_position_embeddings n_routed_experts num_attention_heads
    num_experts num_hidden_layers num_local_experts vocab_size
    """.split()  # noqa: SIM905 - words read better than a wall of quotes
)
_WINDOW: Final = "sliding_window"


@cache
def class_defaults(text_type: str, nested: bool) -> Mapping[str, Any]:
    """The values of a model type for fields that a config.json does not name, not even as null."""
    left_out = {_WINDOW} if nested else {_WINDOW, *_MAIN}
    row: Mapping[str, Any] = _rows().get(text_type, {})
    return {name: value for name, value in row.items() if name not in left_out}


@cache
def left_to_class(text_type: str) -> Mapping[str, Any]:
    """The values of a family for fields that its files leave out, flat ones too, or have as null.

    Raises KeyError if the class has no value for one of them.
    """
    family = OLDER_TYPES.get(text_type, text_type)
    return {name: _rows()[family][name] for name in LEFT_TO_CLASS.get(family, ())}


@cache
def has_text_config(model_type: str) -> bool | None:
    """Whether transformers keeps a model's language part in a text_config.

    It does so even of a config.json that is written flat. None if it does not know the model type.
    """
    return model_type in _file()["nested_text_configs"] if model_type in _rows() else None


@cache
def _rows() -> Mapping[str, Mapping[str, Any]]:
    rows: Mapping[str, Mapping[str, Any]] = _file()["defaults"]
    return rows


@cache
def _file() -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return content
