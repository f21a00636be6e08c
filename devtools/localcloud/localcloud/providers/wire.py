"""Property values as they cross the wire between the engine and a provider.

The engine sends protobuf structs in which signature keys mark unknown values,
secrets and references. Decoding gives plain Python data and `UNKNOWN`. A separate
function lists the secret parts (`secret_parts`), so that an answer can be marked
in the same places as the request (`with_secrets`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format, struct_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker
UNKNOWN_SENTINELS: Final = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string, and any unknown of newer engines
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


class Unknown:
    """A value that is known only after something else has been created."""

    def __repr__(self) -> str:
        return "<unknown>"

    def __copy__(self) -> Unknown:
        return self

    def __deepcopy__(self, _memo: object) -> Unknown:
        return self


UNKNOWN: Final = Unknown()


class Secret:
    """Marks a result that the engine must encrypt in state and hide in output."""

    def __init__(self, value: Any) -> None:
        self.value = value


def decode(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A protobuf struct as Python data; whole numbers become int."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def _decode(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = decode(value.struct_value)
        if fields.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
            return fields.get("value")
        return fields
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "string_value":
        return UNKNOWN if value.string_value in UNKNOWN_SENTINELS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    return None


def secret_parts(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The places of secrets: a tree of keys with True at each secret."""
    found: dict[str, Any] = {}
    for key, value in struct.fields.items():
        part = _secret_part(value)
        if part:
            found[key] = part
    return found


def _secret_part(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        signature = value.struct_value.fields.get(SIGNATURE_KEY)
        if signature is not None and signature.string_value == SECRET_SIGNATURE:
            return True
        return secret_parts(value.struct_value)
    if kind == "list_value":  # one secret element hides the list, as in the engine
        return any(_secret_part(item) for item in value.list_value.values)
    return None


def with_secrets(value: Any, parts: Any) -> Any:
    """`value` with a `Secret` around everything that `parts` names."""
    if parts is True:
        return value if isinstance(value, Secret) else Secret(value)
    if isinstance(value, dict) and isinstance(parts, dict):
        return {key: with_secrets(item, parts.get(key)) for key, item in value.items()}
    return value


def encode(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Python data, `UNKNOWN` and `Secret` as a protobuf struct."""
    return json_format.ParseDict({k: _encode(v) for k, v in values.items()}, struct_pb2.Struct())


def _encode(value: Any) -> Any:
    if isinstance(value, Unknown):
        return "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    if isinstance(value, Secret):
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": _encode(value.value)}
    if isinstance(value, dict):
        return {k: _encode(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(v) for v in value]
    return value


def has_unknown(value: Any) -> bool:
    """Whether `value` holds an unknown at any depth."""
    if isinstance(value, dict):
        return any(has_unknown(v) for v in value.values())
    if isinstance(value, list):
        return any(has_unknown(v) for v in value)
    return isinstance(value, Unknown)


def known_part(value: Any) -> Any:
    """`value` without the map keys and list elements whose values are unknown."""
    if isinstance(value, dict):
        return {k: known_part(v) for k, v in value.items() if not isinstance(v, Unknown)}
    if isinstance(value, list):
        return [known_part(v) for v in value if not isinstance(v, Unknown)]
    return value
