"""Writes the filters that a request passes, in this order.

Its key, before anything of the body is read; the model that its body names; whether its team may
ask that model; its team's limit; for a canary another name in the body; the route.
"""

from typing import Any, Final

from manifests.gateway import metadata
from manifests.gateway.keys import KEYS, MODEL_RULES
from manifests.gateway.limits import LIMITS
from manifests.gateway.places import KEYS_FILE, LIMITS_FILE, MODEL_RULES_FILE, Places
from manifests.gateway.typed import typed, watched_source

_RBAC: Final = "extensions.filters.http.rbac.v3.RBAC"
_LIMIT: Final = "extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
# Of the whole value. Clients add a charset.
_JSON: Final = r"(?i)application/json\s*(;.*)?"


def http_filters(places: Places) -> list[dict[str, Any]]:
    """The filters of the listener for requests."""
    return [
        _discovered(KEYS, _RBAC, places.keys, KEYS_FILE),
        {"name": "body", "typed_config": _body_to_metadata()},
        _discovered(MODEL_RULES, _RBAC, places.watched, MODEL_RULES_FILE),
        _discovered(LIMITS, _LIMIT, places.watched, LIMITS_FILE),
        # Does nothing but on the routes of canaries.
        {
            "name": "transform",
            "typed_config": typed("extensions.filters.http.transform.v3.TransformConfig"),
        },
        {"name": "router", "typed_config": typed("extensions.filters.http.router.v3.Router")},
    ]


def _discovered(name: str, message: str, folder: str, file: str) -> dict[str, Any]:
    """A filter whose configuration is a watched file. Without one, every request gets a 500."""
    return {
        "name": name,
        "config_discovery": {
            "config_source": watched_source(folder, file),
            "type_urls": [f"type.googleapis.com/envoy.{message}"],
        },
    }


def _body_to_metadata() -> dict[str, Any]:
    namespace = metadata.BODY_NAMESPACE
    problem = {"metadata_namespace": namespace, "key": metadata.PROBLEM}
    return typed(
        "extensions.filters.http.json_to_metadata.v3.JsonToMetadata",
        request_rules={
            "allow_content_types_regex": {"regex": _JSON},
            "rules": [
                {
                    "selectors": [{"key": "model"}],
                    "on_present": {"metadata_namespace": namespace, "key": metadata.MODEL},
                    "on_missing": {**problem, "value": metadata.MISSING},
                    "on_error": {**problem, "value": metadata.UNREADABLE},
                }
            ],
        },
    )
