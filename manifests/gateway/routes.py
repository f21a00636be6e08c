"""Writes the routes: the model that a request names, and the models' own routes.

The first route that matches counts. What no model answers is answered here: the message is the body
and the error's code is the route's name, which `errors.py` puts into OpenAI's form.
"""

from typing import Any, Final

from manifests.gateway import metadata
from manifests.gateway.answers import answer, methods
from manifests.gateway.models_list import models_routes
from manifests.gateway.paths import API_PATHS, api_path, own_prefix, rewrite_to
from manifests.gateway.places import READY_PATH
from manifests.gateway.typed import resources, seconds, typed
from planning import AccessPlan, ModelPlan, Plan

ROUTES: Final = "routes"
# Ray Serve ends a request 60 s after the service's own limit; Envoy must not be first.
_IDLE_GRACE_SECONDS: Final = 120
_RETRIES: Final = 5


def routes_file(plan: Plan, access: AccessPlan) -> str:
    """The text of the routes' file."""
    routes = [
        answer("ready", 200, "ready\n", {"path": READY_PATH}),
        *models_routes(plan, access),
        # What is escaped here could be read as another path by whoever unescapes it.
        answer(
            "escaped_path",
            400,
            "The path must not contain an escaped '/', '\\', '.' or '%'.",
            {"safe_regex": {"regex": ".*%(2[eEfF5]|5[cC]).*"}},
        ),
        *(route for model in plan.models for route in _asked(plan, model)),
        *_unanswered(plan),
        *(_own_route(plan, model) for model in plan.models),
        answer(
            "unknown_url",
            404,
            "Unknown URL. Ask with POST at "
            + ", ".join(API_PATHS)
            + "; GET /v1/models lists the models.",
            {"prefix": "/"},
        ),
    ]
    longest = max(len(_body(route)) for route in routes)
    return resources(
        typed(
            "config.route.v3.RouteConfiguration",
            name=ROUTES,
            max_direct_response_body_size_bytes=max(longest, 4096),
            # Otherwise the key goes to the backend.
            request_headers_to_remove=["authorization"],
            virtual_hosts=[{"name": "all", "domains": ["*"], "routes": routes}],
        )
    )


def idle_timeout(plan: Plan) -> str:
    """How long nothing may be said of a request in progress, as while a model wakes."""
    return seconds(plan.service.request_timeout_seconds + _IDLE_GRACE_SECONDS)


def _asked(plan: Plan, model: ModelPlan) -> list[dict[str, Any]]:
    """The routes of requests whose body names this model, its canaries' shares first."""
    named = metadata.model(metadata.exactly(model.name))
    routes = [
        *(
            _canary_route(plan, named, canary, percent)
            for canary, percent in _canary_shares(plan, model)
        ),
        _model_route(plan, model, named),
    ]
    if model.lora_path is not None:
        adapters = metadata.model(metadata.starting_with(f"{model.name}:"))
        routes.append(_model_route(plan, model, adapters))
    return routes


def _canary_shares(plan: Plan, model: ModelPlan) -> list[tuple[ModelPlan, int]]:
    """The canaries of a model, each with its percentage and that of the ones before it.

    Envoy draws one number a request and compares it with each route's fraction, so the second
    canary gets what lies between the first sum and its own.
    """
    shared, shares = 0, []
    for canary in plan.models:
        if canary.canary_of == model.name and canary.canary_percent > 0:
            shared += canary.canary_percent
            shares.append((canary, min(100, shared)))
    return shares


def _canary_route(
    plan: Plan, named: dict[str, Any], canary: ModelPlan, percent: int
) -> dict[str, Any]:
    route = _model_route(plan, canary, named)
    route["match"]["runtime_fraction"] = {
        "default_value": {"numerator": percent, "denominator": "HUNDRED"}
    }
    # The canary's application knows only its own name. Numbers above 2**53 lose their last digits.
    route["typed_per_filter_config"] = {
        "transform": typed(
            "extensions.filters.http.transform.v3.TransformConfig",
            request_transformation={
                "body_transformation": {
                    "body_format": {"json_format": {"model": canary.name}},
                    "action": "MERGE",
                }
            },
        )
    }
    return route


def _model_route(plan: Plan, model: ModelPlan, named: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": model.name,
        "match": {**api_path(), **methods("POST"), "dynamic_metadata": [named]},
        "route": {**_forward(plan, model), **rewrite_to(model.name)},
        "stat_prefix": f"{model.name}/",
    }


def _own_route(plan: Plan, model: ModelPlan) -> dict[str, Any]:
    return {
        "name": model.name,
        "match": {"path_separated_prefix": own_prefix(model.name)},
        "route": _forward(plan, model),
        "stat_prefix": f"{model.name}/",
    }


def _forward(plan: Plan, model: ModelPlan) -> dict[str, Any]:
    return {
        "cluster": model.name,
        # Envoy's default, 15 s for the whole answer, cuts streams.
        "timeout": "0s",
        "idle_timeout": idle_timeout(plan),
        # Only what the backend has not begun: a request that it has read may have been answered.
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset-before-request",
            "num_retries": _RETRIES,
            "retry_back_off": {"base_interval": "0.1s", "max_interval": "2s"},
        },
    }


def _unanswered(plan: Plan) -> list[dict[str, Any]]:
    """What is answered at the API's paths if the body names no model of the plan."""
    names = ", ".join(model.name for model in plan.models)
    path = api_path()
    missing, unreadable = metadata.problem(metadata.MISSING), metadata.problem(metadata.UNREADABLE)
    return [
        answer(
            "method_not_allowed",
            405,
            "Ask this URL with POST.",
            {**path, **methods("POST", invert=True)},
            {"allow": "POST"},
        ),
        answer(
            "missing_model",
            400,
            f"The body has no text at `model`. Models: {names}.",
            {**path, "dynamic_metadata": [missing]},
        ),
        answer(
            "unreadable_body",
            400,
            "The body is not JSON in UTF-8 with the content type application/json.",
            {**path, "dynamic_metadata": [unreadable]},
        ),
        answer(
            "model_not_found",
            404,
            f"The model does not exist. Models: {names}.",
            path,
        ),
    ]


def _body(route: dict[str, Any]) -> bytes:
    text: str = route.get("direct_response", {}).get("body", {}).get("inline_string", "")
    return text.encode()
