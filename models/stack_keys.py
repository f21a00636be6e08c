"""The keys that a stack file may have under `ray-llm:`, as `StackSettings` declares them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from models.settings import Settings
from models.stack import StackSettings

TOKEN_KEY: Final = "huggingFaceToken"  # noqa: S105 - the name of a key
# Known without a key of ours: the stack's name, what `gcp:` keys and the token's key say, and
# whether gpuPools is there.
_WITHOUT_KEY: Final = (
    "stack",
    "project",
    "region",
    "has_hugging_face_token",
    "hugging_face_token",
    "pools_are_default",
)
_FIELDS: Final = {
    field.alias or name: field
    for name, field in StackSettings.model_fields.items()
    if name not in _WITHOUT_KEY
}
KEYS: Final = (TOKEN_KEY, *_FIELDS)
"""All keys, in the order in which messages list them."""

SECTIONS: Final[Mapping[str, type[Settings]]] = MappingProxyType(
    {
        key: field.annotation
        for key, field in _FIELDS.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings)
    }
)
"""The keys that hold one mapping, with its type."""
