"""Strict validation of custom resources against a CRD's structural schema.

Structural schemas are the subset of OpenAPI v3 that Kubernetes allows in
CustomResourceDefinitions. Unknown fields are errors, as with
`fieldValidation=Strict`. Values that Pulumi does not know yet are accepted. CEL
rules (`x-kubernetes-validations`) and `format` are not evaluated.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.providers import diff
from localcloud.providers.wire import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

Problem = tuple[str, str]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def problems(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[Problem]:
    """(path, reason) for everything that an API server would refuse."""
    if isinstance(value, Unknown):
        return
    if value is None:
        if not schema.get("nullable") and path:
            yield path, "must not be null"
        return
    yield from _type_problems(value, schema, path)
    if isinstance(value, dict) and schema.get("type", "object") == "object":
        yield from _object_problems(value, schema, path)
    elif isinstance(value, list) and schema.get("type") == "array":
        yield from _array_problems(value, schema, path)
    elif isinstance(value, (str, int, float)):
        yield from _scalar_problems(value, schema, path)


def _type_problems(value: Any, schema: dict[str, Any], path: str) -> Iterator[Problem]:
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            yield path, f"must be an integer or a string, got {_name(value)}"
        return
    expected = schema.get("type")
    if expected is None or expected not in _TYPES:
        return
    is_bool_for_number = isinstance(value, bool) and expected in ("integer", "number")
    if is_bool_for_number or not isinstance(value, _TYPES[expected]):
        yield path, f"must be of type {expected}: {_name(value)!r}"


def _name(value: Any) -> str:
    """The JSON name of a value's type, as API servers write it."""
    if isinstance(value, bool):
        return "boolean"
    return next(name for name, kinds in _TYPES.items() if isinstance(value, kinds))


def _object_problems(value: dict[str, Any], schema: dict[str, Any], path: str) -> Iterator[Problem]:
    properties = schema.get("properties", {})
    additional = schema.get("additionalProperties")
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or additional is True
    embedded = schema.get("x-kubernetes-embedded-resource")
    for key, item in value.items():
        child = diff.join(path, key)
        if key in properties:
            yield from problems(item, properties[key], child)
        elif isinstance(additional, dict):
            yield from problems(item, additional, child)
        elif not open_ended and not (embedded and key in ("apiVersion", "kind", "metadata")):
            yield child, f"unknown field {child!r}"
    for key in schema.get("required", ()):
        if key not in value:
            yield diff.join(path, key), "Required value"


def _array_problems(value: list[Any], schema: dict[str, Any], path: str) -> Iterator[Problem]:
    items = schema.get("items", {})
    for index, item in enumerate(value):
        yield from problems(item, items, f"{path}[{index}]")
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        yield path, f"Too many: {len(value)}: must have at most {schema['maxItems']} items"
    if "minItems" in schema and len(value) < schema["minItems"]:
        yield path, f"must have at least {schema['minItems']} items"
    if schema.get("x-kubernetes-list-type") == "map":
        keys = schema.get("x-kubernetes-list-map-keys", [])
        defaults = {key: items.get("properties", {}).get(key, {}).get("default") for key in keys}
        seen = set()
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                continue
            identity = tuple(repr(item.get(key, defaults[key])) for key in keys)
            if identity in seen:
                yield f"{path}[{index}]", f"Duplicate value for {', '.join(keys)}"
            seen.add(identity)


def _scalar_problems(value: Any, schema: dict[str, Any], path: str) -> Iterator[Problem]:
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(f'"{option}"' for option in schema["enum"])
        yield path, f"Unsupported value: {value!r}: supported values: {allowed}"
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield path, f"should match {schema['pattern']!r}, got {value!r}"
        if len(value) > schema.get("maxLength", len(value)):
            yield path, f"Too long: may not be more than {schema['maxLength']} characters"
        if len(value) < schema.get("minLength", 0):
            yield path, f"should be at least {schema['minLength']} characters long"
    elif not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield path, f"should be greater than or equal to {schema['minimum']}"
        if value > schema.get("maximum", value):
            yield path, f"should be less than or equal to {schema['maximum']}"
