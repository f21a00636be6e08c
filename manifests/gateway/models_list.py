"""Writes the answers of GET /v1/models and /v1/models/<name>, which list what the key may ask."""

import json
from collections.abc import Sequence
from typing import Any, Final

from manifests.gateway import metadata
from manifests.gateway.answers import answer, methods
from manifests.gateway.paths import MODELS_PATH
from planning import AccessPlan, Plan

_JSON: Final = {"content-type": "application/json"}


def models_routes(plan: Plan, access: AccessPlan) -> list[dict[str, Any]]:
    """The routes at and below /v1/models; none of them reaches a backend."""
    return [
        *(route for teams, names in _views(plan, access) for route in _view_routes(teams, names)),
        answer(
            "model_not_found",
            404,
            "The model does not exist, or this key may not ask it.",
            {"prefix": f"{MODELS_PATH}/", **methods("GET", "HEAD")},
        ),
        answer(
            "method_not_allowed",
            405,
            "Ask this URL with GET.",
            {"path_separated_prefix": MODELS_PATH},
            {"allow": "GET, HEAD"},
        ),
    ]


def _views(plan: Plan, access: AccessPlan) -> list[tuple[tuple[str, ...] | None, tuple[str, ...]]]:
    """Teams with the models that they may ask; None instead of the teams if there are no keys."""
    every = tuple(model.name for model in plan.models)
    if not access.keys:
        return [(None, every)]
    views: dict[tuple[str, ...], tuple[str, ...]] = {}
    for key in access.keys:
        names = every if key.models is None else tuple(n for n in every if n in key.models)
        views[names] = (*views.get(names, ()), key.team)
    return [(teams, names) for names, teams in views.items()]


def _view_routes(teams: Sequence[str] | None, names: Sequence[str]) -> list[dict[str, Any]]:
    asked = methods("GET", "HEAD")
    if teams is not None:
        asked = {**asked, "dynamic_metadata": [metadata.team(metadata.one_of(teams))]}
    listed = {"object": "list", "data": [_card(name) for name in names]}
    return [
        answer("models", 200, json.dumps(listed), {"path": MODELS_PATH, **asked}, _JSON),
        *(
            answer(
                "model",
                200,
                json.dumps(_card(name)),
                {"path": f"{MODELS_PATH}/{name}", **asked},
                _JSON,
            )
            for name in names
        ),
    ]


def _card(name: str) -> dict[str, Any]:
    # OpenAI's clients require all four. The plan holds no date, and an answer must not change
    # between two writings of the same plan.
    return {"id": name, "object": "model", "created": 0, "owned_by": "ray-llm"}
