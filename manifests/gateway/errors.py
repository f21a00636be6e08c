"""Writes the errors of the gateway itself in OpenAI's form; the backend's pass as they are.

Only mappers by status: a general format would rewrite every answer of Envoy, those with 200 too.
"""

from typing import Any

from manifests.gateway import metadata

_BODY = "%LOCAL_REPLY_BODY%"
_ROUTE = "%ROUTE_NAME%"
_ASKED = "%DYNAMIC_METADATA(gw:model)%"
_RETRY_SECONDS = 5


def error_mappers() -> dict[str, Any]:
    """Envoy's local_reply_config."""
    return {
        "mappers": [
            _mapper(
                _all_of(_status("EQ", 403), _known_team(), _path_names_no_model()),
                _not_allowed(_ASKED),
            ),
            # Of a model's own route the path decides, whatever the body names.
            _mapper(
                _all_of(_status("EQ", 403), _known_team()), _not_allowed("the model of this path")
            ),
            _mapper(
                _status("EQ", 403),
                _error(
                    "No key, or one that is not known. Send it as 'Authorization: Bearer <key>'.",
                    "invalid_request_error",
                    "invalid_api_key",
                ),
                status=401,
                headers={"www-authenticate": "Bearer"},
            ),
            _mapper(
                _status("EQ", 413),
                _error(
                    "The body is larger than this gateway takes.",
                    "invalid_request_error",
                    "request_too_large",
                ),
            ),
            _mapper(
                _status("EQ", 408),
                _error("The request took too long to arrive.", "invalid_request_error", "timeout"),
            ),
            _mapper(
                _status("EQ", 429),
                _error(
                    "This key has asked too often. Wait as long as 'Retry-After' says.",
                    "requests",
                    "rate_limit_exceeded",
                ),
            ),
            _mapper(
                _status("EQ", 503),
                _error(
                    "The model cannot take this request now. Ask again.",
                    "server_error",
                    "service_unavailable",
                ),
                headers={"retry-after": str(_RETRY_SECONDS)},
            ),
            _mapper(
                _status("GE", 500),
                _error("The model did not answer.", "server_error", "server_error"),
            ),
            # What routes answer: their body is the message, their name the code.
            _mapper(_status("GE", 400), _error(_BODY, "invalid_request_error", _ROUTE)),
        ]
    }


def _not_allowed(what: str) -> dict[str, Any]:
    return _error(
        f"This key may not ask {what}. GET /v1/models lists what it may ask.",
        "permission_error",
        "model_not_allowed",
    )


def _error(message: str, kind: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _mapper(
    condition: dict[str, Any],
    body: dict[str, Any],
    *,
    status: int | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    mapper: dict[str, Any] = {
        "filter": condition,
        "body_format_override": {"json_format": body, "content_type": "application/json"},
    }
    if status is not None:
        mapper["status_code"] = status
    if headers:
        mapper["headers_to_add"] = [
            {"header": {"key": key, "value": value}} for key, value in headers.items()
        ]
    return mapper


def _status(operator: str, value: int) -> dict[str, Any]:
    compared = {"default_value": value, "runtime_key": "ray_llm.unused"}
    return {"status_code_filter": {"comparison": {"op": operator, "value": compared}}}


def _known_team() -> dict[str, Any]:
    """Whether a key was accepted, so that the models' rules refused the request."""
    return {
        "metadata_filter": {
            "matcher": metadata.team(metadata.PRESENT),
            "match_if_key_not_found": False,
        }
    }


def _path_names_no_model() -> dict[str, Any]:
    return {"header_filter": {"header": {"name": ":path", "string_match": {"prefix": "/v1/"}}}}


def _all_of(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"and_filter": {"filters": list(conditions)}}
