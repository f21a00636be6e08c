"""What Envoy notes of a request, and how it is asked for: the team that asks, and the model.

The filter of the keys notes the team as the name of the policy that let the request in; the filter
that reads the body notes the model, or what is wrong with the body.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

KEYS_NAMESPACE: Final = "envoy.filters.http.rbac"
TEAM: Final = "enforced_effective_policy_id"
BODY_NAMESPACE: Final = "gw"
MODEL: Final = "model"
PROBLEM: Final = "problem"
MISSING: Final = "missing"
UNREADABLE: Final = "unreadable"

PRESENT: Final = {"present_match": True}


def exactly(text: str) -> dict[str, Any]:
    """Matches this text."""
    return {"string_match": {"exact": text}}


def starting_with(text: str) -> dict[str, Any]:
    """Matches texts that begin so and go on."""
    return {"string_match": {"safe_regex": {"regex": f"{re.escape(text)}.+"}}}


def one_of(texts: Sequence[str]) -> dict[str, Any]:
    """Matches each of the texts."""
    return {"string_match": {"safe_regex": {"regex": "|".join(map(re.escape, texts))}}}


def team(value: dict[str, Any]) -> dict[str, Any]:
    """Matches requests of a team."""
    return _matcher(KEYS_NAMESPACE, TEAM, value)


def model(value: dict[str, Any]) -> dict[str, Any]:
    """Matches requests whose body names a model."""
    return _matcher(BODY_NAMESPACE, MODEL, value)


def problem(value: str) -> dict[str, Any]:
    """Matches requests whose body names no model, for this reason."""
    return _matcher(BODY_NAMESPACE, PROBLEM, exactly(value))


def _matcher(namespace: str, key: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"filter": namespace, "path": [{"key": key}], "value": value}
