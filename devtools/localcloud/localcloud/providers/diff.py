"""Property-by-property differences between old and new inputs of a resource.

Paths are written as Pulumi writes them: `nodeConfig.labels["a.b/c"]`,
`guestAccelerators[0].type`. A difference below a force-new path is a
replacement.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Kind = Literal["add", "delete", "update"]

_PLAIN_KEY = re.compile(r"^[A-Za-z_$][A-Za-z0-9_$-]*$")


def join(path: str, key: str) -> str:
    """`path` extended by a map key, which is quoted if it is not a plain word."""
    if not _PLAIN_KEY.match(key):
        escaped = key.replace('"', '\\"')
        return f'{path}["{escaped}"]'
    return f"{path}.{key}" if path else key


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Kind]]:
    """Every leaf at which `new` differs from `old`, internal `__` keys aside."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            if key.startswith("__"):
                continue
            child = join(path, key)
            if key not in new:
                yield child, "delete"
            elif key not in old:
                yield child, "add"
            else:
                yield from differences(old[key], new[key], child)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            child = f"{path}[{index}]"
            if index >= len(new):
                yield child, "delete"
            elif index >= len(old):
                yield child, "add"
            else:
                yield from differences(old[index], new[index], child)
    elif type(old) is not type(new) or old != new:
        yield path, "update"


def detailed(
    old: dict[str, Any], new: dict[str, Any], forces_new: Callable[[str], bool]
) -> dict[str, tuple[Kind, bool]]:
    """Path -> (kind of change, whether it forces a replacement)."""
    return {path: (kind, forces_new(path)) for path, kind in differences(old, new)}


def without_indexes(path: str) -> str:
    """`a[0].b["x.y"]` -> `a.b.x.y`, for matching against tables of fields."""
    path = re.sub(r"\[\d+\]", "", path)
    return re.sub(r'\["((?:[^"\\]|\\.)*)"\]', r".\1", path)
