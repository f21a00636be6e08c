"""Compares two trees of plain values as KubeRay does: by the JSON of Go's types.

KubeRay hashes the object that it read, not the text that was sent. So null is as good as absent,
`1000m` is `1`, and the API server has filled in its defaults. Whether an empty field is as good as
an absent one depends on the field's Go type, which is not known here, so such a difference is
reported as not certain.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

SECRET_MARK: Final = "4dabf18193072939515e22adb298388d"  # noqa: S105 - a key, not a secret
"""The key by which Pulumi marks a secret inside plain values."""

_DEFAULTS: Final[Mapping[str, Any]] = {
    # Of the schema of rayservices.ray.io, which the API server fills in.
    "protocol": "TCP",
    "numOfHosts": 1,
    # Structs that are in Go's JSON whether they are set or not.
    "metadata": {},
    "resources": {},
    "scaleStrategy": {},
}
_AMOUNTS: Final = frozenset({"limits", "requests"})
_QUANTITY: Final = re.compile(r"([+-]?[0-9.]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12} | {
    "P": 15,
    "E": 18,
}
_BINARY: Final = {f"{unit}i": power for power, unit in enumerate("KMGTPE", start=1)}


@dataclass(frozen=True)
class Difference:
    """One place in which two trees differ.

    path: relative to the trees' root, as in `containers[ray-head].image`.
    certain: False if KubeRay may take both for the same.
    """

    path: str
    old: Any
    new: Any
    certain: bool = True


def differences(old: Any, new: Any, path: str = "") -> Iterator[Difference]:
    """Every place in which `new` differs from `old`, in the order of the fields."""
    old, new = _plain(old), _plain(new)
    if old is new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        amounts = path.rpartition(".")[2] in _AMOUNTS
        for key in dict.fromkeys([*old, *new]):
            below = f"{path}.{key}" if path else str(key)
            if amounts and key in old and key in new:
                yield from _of_amounts(old[key], new[key], below)
            else:
                default = _DEFAULTS.get(key)
                before, after = (_or_default(tree.get(key), default) for tree in (old, new))
                yield from differences(before, after, below)
    elif _is_list(old) and _is_list(new):
        yield from _of_lists(old, new, path)
    elif not _same(old, new):
        yield Difference(path, old, new, certain=_certain(old, new))


def _plain(value: Any) -> Any:
    """The value inside Pulumi's mark of a secret; it is compared and never shown."""
    if isinstance(value, Mapping) and SECRET_MARK in value:
        return value.get("value")
    return value


def _or_default(value: Any, default: Any) -> Any:
    return default if value is None else value


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _same(old: Any, new: Any) -> bool:
    # Python takes True for 1.
    return isinstance(old, bool) == isinstance(new, bool) and bool(old == new)


def _certain(old: Any, new: Any) -> bool:
    if not all(_is_known(value) for value in (old, new)):
        return False
    absent = old is None or new is None
    return not (absent and _is_hollow(new if old is None else old))


def _is_known(value: Any) -> bool:
    # At a preview, Pulumi has objects of its own for values that do not exist yet.
    return value is None or isinstance(value, str | int | float | Mapping) or _is_list(value)


def _is_hollow(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_hollow(item) for item in value.values())
    return not value


def _of_lists(old: Sequence[Any], new: Sequence[Any], path: str) -> Iterator[Difference]:
    """Differences item by item; items that have names are called by them."""
    before, after = _by_name(old), _by_name(new)
    if before is None or after is None:
        if len(old) != len(new):
            yield Difference(path, old, new)
            return
        for index, (was, is_) in enumerate(zip(old, new, strict=True)):
            yield from _item(was, is_, f"{path}[{index}]")
        return
    for name in dict.fromkeys([*before, *after]):
        yield from _item(before.get(name), after.get(name), f"{path}[{name}]")
    was_order = [name for name in before if name in after]
    is_order = [name for name in after if name in before]
    if was_order != is_order:
        yield Difference(path, was_order, is_order)


def _item(old: Any, new: Any, path: str) -> Iterator[Difference]:
    # An item that is there or is not always counts, however empty it is.
    if old is None or new is None:
        yield Difference(path, old, new)
    else:
        yield from differences(old, new, path)


def _by_name(items: Sequence[Any]) -> dict[str, Any] | None:
    """The items by their names; None if one has none, or two have the same."""
    found: dict[str, Any] = {}
    for item in items:
        name = item.get("name") if isinstance(item, Mapping) else None
        if not isinstance(name, str) or name in found:
            return None
        found[name] = item
    return found


def _of_amounts(old: Any, new: Any, path: str) -> Iterator[Difference]:
    """Of two Kubernetes quantities, which Go writes in one canonical form each."""
    before, after = quantity(old), quantity(new)
    if before is None or after is None:
        yield from differences(old, new, path)
    elif before[0] != after[0]:
        yield Difference(path, old, new)
    elif before[1] != after[1]:
        # 1Gi and 1073741824 are as much, and are written differently unless they are small.
        yield Difference(path, old, new, certain=False)


def quantity(value: Any) -> tuple[Decimal, str] | None:
    """Amount and kind of suffix; None if it is no quantity."""
    try:
        found = _QUANTITY.fullmatch(str(value).strip())
        if found is None or isinstance(value, bool):
            return None
        number, suffix = Decimal(found[1]), found[2] or ""
        if suffix in _BINARY:
            return number * 1024 ** _BINARY[suffix], "binary"
        if suffix in _DECIMAL:
            return number.scaleb(_DECIMAL[suffix]), "decimal"
        return number.scaleb(int(suffix[1:])), "exponent"
    except (ArithmeticError, ValueError):  # more digits than any quantity has
        return None
