"""Writes the access log: one JSON object a request, without keys, bodies and queries."""

from typing import Any, Final

from manifests.gateway import metadata
from manifests.gateway.typed import typed

_LONGEST_PATH: Final = 200
_FIELDS: Final = {
    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "team": f"%DYNAMIC_METADATA({metadata.KEYS_NAMESPACE}:{metadata.TEAM})%",
    # The route's name is the model's, or what was wrong. What the body names is the client's text.
    "route": "%ROUTE_NAME%",
    # The model that was asked, a canary's name included.
    "model": "%UPSTREAM_CLUSTER_RAW%",
    "method": "%REQ(:METHOD):20%",
    "path": f"%PATH(NQ:ORIG:{_LONGEST_PATH})%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "duration_ms": "%DURATION%",
    "first_byte_ms": "%RESPONSE_DURATION%",
    "request_bytes": "%BYTES_RECEIVED%",
    "response_bytes": "%BYTES_SENT%",
    "protocol": "%PROTOCOL%",
    "request_id": "%REQ(X-REQUEST-ID)%",
}


def access_log() -> dict[str, Any]:
    """The access log, on standard output."""
    return {
        "name": "stdout",
        "typed_config": typed(
            "extensions.access_loggers.stream.v3.StdoutAccessLog",
            log_format={"json_format": _FIELDS},
        ),
    }
