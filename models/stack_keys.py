"""The keys that a stack file may have under `ray-llm:`, as `StackSettings` declares them."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType, UnionType
from typing import Any, Final, get_args

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


def _sections(annotation: Any) -> Iterator[type[Settings]]:
    """The section that a field holds, if it holds one; it may be None instead."""
    for kind in get_args(annotation) if isinstance(annotation, UnionType) else (annotation,):
        if isinstance(kind, type) and issubclass(kind, Settings):
            yield kind


SECTIONS: Final[Mapping[str, type[Settings]]] = MappingProxyType(
    {
        key: section
        for key, field in _FIELDS.items()
        if (section := next(_sections(field.annotation), None)) is not None
    }
)
"""The keys that hold one mapping, with its type."""
