"""Reads `Pulumi.<stack>.yaml` as the Pulumi engine would, without the engine.

For plans on the command line, tests and benchmarks. Scalars are read as Go's
yaml.v3 reads them for Pulumi: `no` is a text, `1e3` and `2.0` are whole numbers, and a key
written twice is an error instead of a silent winner.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from models.access_keys import ACCESS, is_encrypted
from models.problems import without_secrets
from models.reading import NAMESPACE

_DEEPEST: Final = 100  # levels of nesting; libyaml's reader overflows the C stack on thousands
# Aliases may write a value again, not a thousand times: yaml.v3 refuses that as well.
_MOST_REPEATS: Final = 10


class StackFileError(Exception):
    """A stack file that cannot be read at all; its text says why and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(without_secrets(text))


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """The configuration in a stack file: values by full key, and which keys are encrypted.

    values: None for an encrypted key, but for `ray-llm:access`, in which the keys alone are.
    secret_keys: one encrypted value is enough to make Pulumi treat all of its key as secret.
    """

    stack: str
    path: Path
    values: Mapping[str, Any]
    secret_keys: frozenset[str]


# libyaml's parser if PyYAML was built with it: five times faster on a large stack.
_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc, valid-type]
    """Safe YAML with the scalars of Go's yaml.v3 and no key twice."""


_INTEGER = re.compile(r"[-+]?(0b[01]+|0x[0-9a-fA-F]+|0o?[0-7]+)", re.IGNORECASE)
_NUMBER = r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)"
_FLOAT = r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
_INFINITE = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _firsts in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("float", f"{_NUMBER}|{_FLOAT}|{_INFINITE}", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_firsts)
    )


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    """A number as it reaches a program through Pulumi's JSON, in which `2.0` is `2`."""
    text = loader.construct_scalar(node).replace("_", "").lower()
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if digits in (".inf", ".nan"):
        return sign * float(digits.lstrip("."))
    if _INTEGER.fullmatch(digits):
        base = {"b": 2, "o": 8, "x": 16}.get(digits[1:2], 8)
        return sign * int(digits.lstrip("0box") or "0", base)
    if digits.isdecimal():
        return sign * int(digits)
    try:
        number = sign * float(digits)
    except ValueError:
        raise yaml.constructor.ConstructorError(
            None, None, f"{text} is not a number", node.start_mark
        ) from None
    return int(number) if math.isfinite(number) and number.is_integer() else number


def _mapping_without_doubles(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    own: set[Any] = set()
    for key_node, _ in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be a text or a number", key_node.start_mark
            )
        if (key_node.tag, key_node.value) in own:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key_node.value!r} is written twice", key_node.start_mark
            )
        own.add((key_node.tag, key_node.value))
    loader.flatten_mapping(node)  # merged keys come first, so that own ones win
    return {
        loader.construct_object(key_node, deep=True): loader.construct_object(value_node, deep=True)
        for key_node, value_node in node.value
    }


_Loader.yaml_constructors = {
    tag: constructor
    for tag, constructor in _SafeLoader.yaml_constructors.items()
    if tag is None or tag.rsplit(":", 1)[1] in ("str", "bool", "null", "seq")
}
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping_without_doubles)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor("tag:yaml.org,2002:int", _number)


def stack_name(path: Path) -> str:
    """The stack of a file named `Pulumi.<stack>.yaml`; the bare stem of any other."""
    name = path.name
    for ending in (".yaml", ".yml"):
        if name.startswith("Pulumi.") and name.endswith(ending):
            return name[len("Pulumi.") : -len(ending)]
    return path.stem


def read_stack_file(path: Path) -> StackFile:
    """The configuration of one stack file.

    Raises StackFileError if the file is missing, is not YAML or holds no `config` mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StackFileError(
            f"{path}: there is no such file. Name a file that exists, or a stack that has one."
        ) from None
    except UnicodeDecodeError:
        raise StackFileError(f"{path}: is not UTF-8 text. Save it as UTF-8.") from None
    except OSError as error:
        raise StackFileError(
            f"{path}: cannot be read ({error.strerror}). Name a file that can be read."
        ) from None
    return parse_stack_file(text, path)


def parse_stack_file(text: str, path: Path) -> StackFile:
    """The configuration in the text of a stack file; `path` names it in messages."""
    try:
        _refuse_deep_nesting(text)
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
        if "*" in text:  # an alias
            _refuse_endless_aliases(document, text)
    except (yaml.YAMLError, ValueError, TypeError, KeyError, RecursionError) as error:
        where = _where(error)
        raise StackFileError(
            f"{path.name}: cannot be read as YAML{where}. Correct the line and try again."
        ) from None
    config = {} if document is None else document
    if isinstance(config, dict):
        config = config.get("config", {})
        config = {} if config is None else config
    if not isinstance(document, dict | None) or not isinstance(config, dict):
        raise StackFileError(
            f"{path.name}: holds no mapping named config. Write `config:` and the keys below it."
        )
    values: dict[str, Any] = {}
    secret_keys: set[str] = set()
    for name, value in config.items():
        # Pulumi takes a key without a namespace as one of the project's own.
        key = name if isinstance(name, str) and ":" in name else f"{NAMESPACE}:{name}"
        if key in values:
            raise StackFileError(
                f"{path.name}: config.{name} is written twice, once with the "
                f"namespace {NAMESPACE}. "
                "Keep one of the two."
            )
        holds_secret = any(is_encrypted(item) for item in _nodes(value))
        if holds_secret:
            secret_keys.add(key)
        whole = is_encrypted(value) or key != ACCESS
        values[key] = None if holds_secret and whole else value
    return StackFile(
        stack=stack_name(path), path=path, values=values, secret_keys=frozenset(secret_keys)
    )


def _refuse_deep_nesting(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise yaml.MarkedYAMLError(
                problem=f"more than {_DEEPEST} levels of nesting",
                problem_mark=event.start_mark,  # type: ignore[arg-type]
            )


def _refuse_endless_aliases(document: Any, text: str) -> None:
    most = _MOST_REPEATS * len(text) + 1000
    for count, _ in enumerate(_nodes(document)):
        if count > most:
            raise yaml.MarkedYAMLError(problem="aliases that repeat too much")


def _nodes(value: Any) -> Iterator[Any]:
    """A value and everything in it, without recursion."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, dict):
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    position = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    details = ": ".join(part for part in (position, problem) if part)
    return f" ({details})" if details else ""
