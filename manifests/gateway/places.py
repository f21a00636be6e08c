"""Where a gateway finds its files and at which ports it listens."""

from dataclasses import dataclass
from typing import Final

READY_PATH: Final = "/-/ready"
"""Answers 200 once the listener has routes and keys; no served name begins with '-'."""
LIVE_PATH: Final = "/live"
METRICS_PATH: Final = "/stats/prometheus"

START_FILE: Final = "start.json"
ROUTES_FILE: Final = "routes.json"
CLUSTERS_FILE: Final = "clusters.json"
MODEL_RULES_FILE: Final = "model-rules.json"
LIMITS_FILE: Final = "limits.json"
CERTIFICATE_FILE: Final = "certificate.json"
KEYS_FILE: Final = "keys.json"


@dataclass(frozen=True, kw_only=True)
class Places:
    """Folders and ports of one gateway; the defaults are those of a pod.

    start, watched, keys, certificate: the folders of the start file, of the watched files, of the
        keys and of the TLS certificate. Each is a mount of its own.
    address: where the port for requests and the port for metrics listen; the admin interface is
        on the loopback address always.
    """

    start: str = "/etc/gateway/start"
    watched: str = "/etc/gateway/watched"
    keys: str = "/etc/gateway/keys"
    certificate: str = "/etc/gateway/certificate"
    address: str = "0.0.0.0"  # noqa: S104 - inside a pod, reached through a Service
    port: int = 8080
    metrics_port: int = 9902
    admin_port: int = 9901


POD: Final = Places()
