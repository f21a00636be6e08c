"""Writes plain objects as YAML that every reader takes for the same object.

PyYAML writes for readers of YAML 1.1 and leaves `1e3` bare, which Go's readers in Kubernetes take
for a number. Here every text that could be anything else is quoted. Keys keep their order.

A dumper of PyYAML with another representer for texts writes the same, but libyaml's takes ten times
as long: 0.36 s against 0.04 s for the serve config of 1,000 models, more than their whole plan.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_BARE = re.compile(r"[A-Za-z/][-A-Za-z0-9_./]*[A-Za-z0-9]")
# Words of YAML 1.1 and 1.2 that are not strings; single letters are quoted anyway.
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "nan", "inf", "infinity"})
_SCALARS = (str, int, float)
# Characters that YAML calls not printable, and those that some readers take for a line break.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class Written:
    """A mapping that `yaml_text` has written already, as an item of a list."""

    text: str


def yaml_text(value: Mapping[str, Any]) -> str:
    """`value` as YAML in block style; numbers must be finite, keys must be strings.

    Raises ValueError for NaN and infinities, TypeError for what JSON has no form for.
    """
    lines: list[str] = []
    _mapping(lines, value, "", "")
    return "".join(lines)


def _mapping(lines: list[str], value: Mapping[str, Any], indent: str, lead: str) -> None:
    """Writes the entries; the first after `lead` instead of the indent."""
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"{key!r} is not a string and cannot be a key")
        head = f"{lead or indent}{_text(key)}:"
        lead = ""
        if item is None or isinstance(item, _SCALARS):  # first: most items, and the cheapest test
            lines.append(f"{head} {_scalar(item)}\n")
        elif isinstance(item, Mapping) and item:
            lines.append(f"{head}\n")
            _mapping(lines, item, f"{indent}  ", "")
        elif isinstance(item, list | tuple) and item:
            lines.append(f"{head}\n")
            _sequence(lines, item, indent, "")
        else:
            lines.append(f"{head} {_scalar(item)}\n")


def _sequence(lines: list[str], value: Sequence[Any], indent: str, lead: str) -> None:
    for item in value:
        head = f"{lead or indent}- "
        lead = ""
        if isinstance(item, Written):  # no text in it spans lines, so this only indents
            lines.append(head + item.text[:-1].replace("\n", f"\n{indent}  ") + "\n")
        elif isinstance(item, Mapping) and item:
            _mapping(lines, item, f"{indent}  ", head)
        elif isinstance(item, list | tuple) and item:
            _sequence(lines, item, f"{indent}  ", head)
        else:
            lines.append(f"{head}{_scalar(item)}\n")


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    if type(value) is int:
        return str(value)
    return json.dumps(value)


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    if _BARE.fullmatch(value) and value.lower() not in _WORDS:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _number(value: float) -> str:
    text = json.dumps(value, allow_nan=False)
    mantissa, mark, exponent = text.partition("e")
    # YAML 1.1 takes a number with an exponent for text unless its mantissa has a dot.
    return f"{mantissa}.0e{exponent}" if mark and "." not in mantissa else text
