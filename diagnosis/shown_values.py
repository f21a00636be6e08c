"""Values of live objects as they may be shown: on one line, short, and without secrets."""

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from models.problems import without_secrets

ABSENT: Final[Any] = object()
# Below these keys are values that may be secrets, whatever they look like.
_SECRETIVE: Final = re.compile(
    r"env\b|env_vars|secret|token(?!s|iz)|password|credential|api_?key", re.IGNORECASE
)
NOT_SHOWN_VALUE: Final = "(not shown)"
_LONGEST: Final = 80
_MOST_BITS: Final = 256
_DEEPEST: Final = 50
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def shown_value(path: str, value: Any, *, is_secret: bool = False) -> str:
    """A value on one line, without secrets; empty if there is none."""
    if value is ABSENT or value is None:
        return ""
    if is_secret or _SECRETIVE.search(path):
        return NOT_SHOWN_VALUE
    if isinstance(value, str) and "\n" in value:
        return f"(text of {value.count(chr(10)) + 1} lines)"
    if isinstance(value, Mapping | list):
        # Its own keys may be secretive, and nobody reads a tree in a cell.
        return f"({'mapping' if isinstance(value, Mapping) else 'list'} of {len(value)})"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return "(a number of many digits)"  # Python refuses to write out the very longest
    text = str(value).lower() if isinstance(value, bool) else without_secrets(str(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def opened(value: Any) -> Any:
    """What a text with YAML of several lines holds, applications by their routes; else None."""
    if not isinstance(value, str) or "\n" not in value:
        return None
    try:
        data = yaml.load(value, Loader=_LOADER) if _is_plain(value) else None  # noqa: S506 - safe
        return _by_route(data) if isinstance(data, dict) else None
    # Some scalars have the form of a date or number that Python refuses.
    except (yaml.YAMLError, ValueError):
        return None


def _by_route(data: dict[Any, Any]) -> dict[Any, Any]:
    listed = data.get("applications")
    if isinstance(listed, list) and all(isinstance(item, dict) for item in listed):
        by_route = {str(item.get("route_prefix")): item for item in listed}
        if len(by_route) == len(listed):
            return {**data, "applications": by_route}
    return data


def _is_plain(text: str) -> bool:
    """Whether YAML has neither aliases, which may have no end, nor many levels."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST:
            return False
    return True
