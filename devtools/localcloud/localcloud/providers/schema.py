"""The input types of provider resources, read from the installed Pulumi SDKs.

`pulumi_gcp` and `pulumi_kubernetes` list every property of every resource in
their `Args` classes, generated from the same schema as the real plugins. A
resource's types are extracted once per SDK version into a small JSON file,
because importing an SDK's type modules costs more than all other work here.
"""

from __future__ import annotations

import collections.abc
import importlib
import json
import subprocess
import sys
import types
import typing
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.providers import diff, wire
from localcloud.store import SOURCE, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

_FORMAT = 1
_SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number"}
_NAMES = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
}


class Schema:
    """Input types of one resource: a root type and all types that it refers to."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.root: str = content["root"]
        self.types: dict[str, Any] = content["types"]
        self._strict = False

    @classmethod
    def load(cls, cache: Path, module: str, args_class: str, version: str) -> Schema:
        """The schema of `module.args_class`, from the cache or the SDK."""
        path = cache / f"{module}.{args_class}-{version}-{_FORMAT}.json"
        try:
            return cls(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            text = _extracted_elsewhere(module, args_class)
            write_atomically(path, text)
            return cls(json.loads(text))

    def problems(
        self, inputs: dict[str, Any], *, strict: bool = False
    ) -> Iterator[tuple[str, str]]:
        """(path, reason) for each unknown key, wrong type or missing property.

        Unless strict, scalars convert as Terraform's do: 5 is a valid string, "5" a valid number.
        """
        self._strict = strict
        yield from self._object(inputs, self.root, "")

    def _object(self, value: dict[str, Any], name: str, path: str) -> Iterator[tuple[str, str]]:
        known = self.types[name]["properties"]
        for key, item in value.items():
            if key.startswith("__"):
                continue
            child = diff.join(path, key)
            if key in known:
                yield from self._value(item, known[key], child)
            else:
                yield child, f"An argument named {key!r} is not expected here"
        for key in self.types[name]["required"]:
            if value.get(key) is None:
                yield diff.join(path, key), f"Missing required property {key!r}"

    def _value(self, value: Any, expected: Any, path: str) -> Iterator[tuple[str, str]]:
        if value is None or isinstance(value, wire.Unknown) or expected == "any":
            return
        if isinstance(expected, str):
            if not _is_scalar(value, expected, self._strict):
                kind = "an object" if isinstance(value, dict) else repr(value)
                yield path, f"expected {_NAMES[expected]}, got {kind}"
        elif "union" in expected:
            options = [list(self._value(value, option, path)) for option in expected["union"]]
            if all(options):
                yield from min(options, key=len)
        elif "list" in expected:
            if not isinstance(value, list):
                yield path, "expected a list"
            else:
                for index, item in enumerate(value):
                    yield from self._value(item, expected["list"], f"{path}[{index}]")
        elif not isinstance(value, dict):
            yield path, "expected an object"
        elif "map" in expected:
            for key, item in value.items():
                yield from self._value(item, expected["map"], diff.join(path, key))
        else:
            yield from self._object(value, expected["ref"], path)


def _is_scalar(value: Any, expected: str, strict: bool) -> bool:
    if strict:
        is_bool = isinstance(value, bool)
        kinds: dict[str, Any] = {
            "string": str,
            "boolean": bool,
            "integer": int,
            "number": (int, float),
        }
        return isinstance(value, kinds[expected]) and is_bool == (expected == "boolean")
    if expected == "boolean":
        return isinstance(value, bool) or value in ("true", "false")
    if expected == "string":
        return isinstance(value, (str, int, float, bool))
    if isinstance(value, bool):
        return False
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return expected == "number" or number.is_integer()


def has_module(name: str) -> bool:
    """Whether an SDK has a module; imports nothing of it."""
    package, *rest = name.split(".")
    spec = PathFinder.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return any(Path(folder).joinpath(*rest).is_dir() for folder in folders or ())


def _extracted_elsewhere(module: str, args_class: str) -> str:
    """Run `_extract` in a process that can import the SDK; in this one pulumi may be missing."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); "
    code += "from localcloud.providers.schema import main; main(*sys.argv[2:])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(SOURCE), module, args_class],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        msg = f"cannot read {args_class} of {module}: {done.stderr.strip()}"
        raise RuntimeError(msg)
    return done.stdout


def main(module: str, args_class: str) -> None:
    """Print the schema of one `Args` class as JSON."""
    print(json.dumps(_extract(getattr(importlib.import_module(module), args_class))))


def _extract(root: type) -> dict[str, Any]:
    types_: dict[str, Any] = {}
    pending = [root]
    while pending:
        cls = pending.pop()
        name = _type_name(cls)
        if name not in types_:
            types_[name] = _extract_type(cls, pending)
    return {"root": _type_name(root), "types": types_}


def _type_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _extract_type(cls: type, pending: list[type]) -> dict[str, Any]:
    from pulumi import Output, _types
    from pulumi.output import T

    names = _types.input_type_py_to_pulumi_names(cls)
    hints = typing.get_type_hints(vars(cls)["__init__"], localns={"Output": Output, "T": T})
    properties, required = {}, []
    for python_name, pulumi_name in names.items():
        hint = hints.get(python_name, Any)
        properties[pulumi_name] = _expression(hint, pending)
        if not _is_optional(hint):
            required.append(pulumi_name)
    return {"properties": properties, "required": required}


def _is_optional(hint: Any) -> bool:
    return hint is type(None) or any(_is_optional(a) for a in _union_members(hint) or ())


def _union_members(hint: Any) -> tuple[Any, ...] | None:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return None


def _expression(hint: Any, pending: list[type]) -> Any:
    """A type hint as JSON; `Input[X]` is a union of X, awaitables and outputs."""
    from pulumi import _types

    if hint is Any:
        return "any"
    if hint in _SCALARS:
        return _SCALARS[hint]
    members = _union_members(hint)
    if members:
        options: list[Any] = []
        for member in members:
            if member is type(None) or _is_wrapper(member):
                continue
            option = _expression(member, pending)
            if option not in options:
                options.append(option)
        if "any" in options:
            return "any"
        return options[0] if len(options) == 1 else {"union": options}
    origin = typing.get_origin(hint)
    if origin in (collections.abc.Sequence, list):
        return {"list": _expression(typing.get_args(hint)[0], pending)}
    if origin in (collections.abc.Mapping, dict):
        return {"map": _expression(typing.get_args(hint)[1], pending)}
    if isinstance(hint, type) and _types.is_input_type(hint):
        pending.append(hint)
        return {"ref": _type_name(hint)}
    return "any"


def _is_wrapper(member: Any) -> bool:
    from pulumi import Output

    return typing.get_origin(member) in (Output, collections.abc.Awaitable) or member is Output
