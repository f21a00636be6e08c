"""Writes routes that Envoy answers by itself."""

from collections.abc import Mapping
from typing import Any


def answer(
    name: str,
    status: int,
    body: str,
    match: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A route with a fixed answer; of an error, the name is its code."""
    added = {"content-type": "text/plain" if status == 200 else "application/json"} | dict(
        headers or {}
    )
    return {
        "name": name,
        "match": dict(match),
        "direct_response": {"status": status, "body": {"inline_string": body}},
        "response_headers_to_add": [
            {
                "header": {"key": key, "value": value},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
            for key, value in added.items()
        ],
    }


def methods(*names: str, invert: bool = False) -> dict[str, Any]:
    """The part of a match that takes these methods, or every other."""
    matcher: dict[str, Any] = {
        "name": ":method",
        "string_match": {"safe_regex": {"regex": "|".join(names)}},
    }
    if invert:
        matcher["invert_match"] = True
    return {"headers": [matcher]}
