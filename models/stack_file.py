"""Reads `Pulumi.<stack>.yaml` as the Pulumi engine would, without the engine.

Used where no engine runs (plans on the command line, tests, benchmarks). YAML is read by the
rules of YAML 1.2, as Pulumi's own reader does: `no` is a text, and a key written twice is an
error instead of a silent winner.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class StackFileError(Exception):
    """A stack file that cannot be read at all; its text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """The configuration in a stack file: values by full key, and which keys are encrypted."""

    stack: str
    path: Path
    values: Mapping[str, Any]
    secret_keys: frozenset[str]


# libyaml's parser where PyYAML was built with it: five times faster on a large stack.
_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc, valid-type]
    """Safe YAML with the booleans of YAML 1.2 and no key twice."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _letters in ("tT", "fF"):
    for _first in _letters:
        _Loader.yaml_implicit_resolvers.setdefault(_first, []).append(
            (
                "tag:yaml.org,2002:bool",
                re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
            )
        )


def _mapping_without_doubles(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    seen: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        try:
            doubled = key in seen
        except TypeError:
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be a text or a number", key_node.start_mark
            ) from None
        if doubled:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} stands twice", key_node.start_mark
            )
        seen[key] = loader.construct_object(value_node, deep=True)
    return seen


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping_without_doubles)


def stack_name(path: Path) -> str:
    """The stack of a file named `Pulumi.<stack>.yaml`; the bare stem of any other."""
    name = path.name
    for ending in (".yaml", ".yml"):
        if name.startswith("Pulumi.") and name.endswith(ending):
            return name[len("Pulumi.") : -len(ending)]
    return path.stem


def read_stack_file(path: Path) -> StackFile:
    """The configuration of one stack file.

    Raises StackFileError where the file is missing, is not YAML or holds no `config` mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StackFileError(
            f"{path}: there is no such file. Name a stack that has a Pulumi.<stack>.yaml here."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StackFileError(f"{path}: cannot be read ({error}). Save it as UTF-8 text.") from None
    return parse_stack_file(text, path)


def parse_stack_file(text: str, path: Path) -> StackFile:
    """The configuration in the text of a stack file; `path` names it in messages."""
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = _where(error)
        raise StackFileError(
            f"{path.name}: is not YAML{where}. Mend the line and try again."
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
    for key, value in config.items():
        if _holds_secret(value):
            secret_keys.add(str(key))
            value = None if _is_secure(value) else value
        values[str(key)] = value
    return StackFile(
        stack=stack_name(path), path=path, values=values, secret_keys=frozenset(secret_keys)
    )


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    place = f" (line {mark.line + 1}, column {mark.column + 1}" if mark else " ("
    if problem:
        return f"{place}: {problem})" if mark else f" ({problem})"
    return f"{place})" if mark else ""


def _is_secure(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}


def _holds_secret(value: Any) -> bool:
    """Whether Pulumi would treat the whole key as a secret: one encrypted leaf is enough."""
    if _is_secure(value):
        return True
    if isinstance(value, dict):
        return any(_holds_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(_holds_secret(item) for item in value)
    return False
