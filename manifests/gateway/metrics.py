"""Writes the port for metrics and probes, the admin interface behind it, and the metrics' labels.

The admin interface shows the keys (/config_dump) and stops Envoy (/quitquitquit), so it listens on
the loopback address and has only the paths that are named here.
"""

from typing import Any, Final

from manifests.gateway.answers import answer
from manifests.gateway.clusters import socket_address
from manifests.gateway.places import LIVE_PATH, METRICS_PATH, Places
from manifests.gateway.typed import typed

# No model has this name, because it begins with '-': its requests would go to the admin interface.
_ADMIN: Final = "-admin"
# Prefixes: Envoy compares them with path and query together.
_ADMIN_PATHS: Final = ("/ready", "/stats", "/drain_listeners")
_LOOPBACK: Final = "127.0.0.1"


def admin(places: Places) -> dict[str, Any]:
    """The admin interface."""
    return {
        "address": socket_address(_LOOPBACK, places.admin_port),
        "allow_paths": [{"prefix": path} for path in _ADMIN_PATHS],
    }


def admin_cluster(places: Places) -> dict[str, Any]:
    """The admin interface as what the port for metrics asks."""
    address = {"address": socket_address(_LOOPBACK, places.admin_port)}
    return {
        "name": _ADMIN,
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": _ADMIN,
            "endpoints": [{"lb_endpoints": [{"endpoint": address}]}],
        },
    }


def metrics_listener(places: Places) -> dict[str, Any]:
    """The listener that answers metrics and the probe of liveness, and nothing else."""
    manager = typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="metrics",
        route_config={
            "name": "metrics",
            "virtual_hosts": [
                {
                    "name": "metrics",
                    "domains": ["*"],
                    "routes": [
                        answer("live", 200, "live\n", {"path": LIVE_PATH}),
                        {"match": {"path": METRICS_PATH}, "route": {"cluster": _ADMIN}},
                    ],
                }
            ],
        },
        http_filters=[
            {"name": "router", "typed_config": typed("extensions.filters.http.router.v3.Router")}
        ],
    )
    return {
        "name": "metrics",
        "address": socket_address(places.address, places.metrics_port),
        # The probes must pass when requests are refused.
        "ignore_global_conn_limit": True,
        "bypass_overload_manager": True,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def stats() -> dict[str, Any]:
    """Labels of metrics: `model` of clusters and routes, `team` of keys.

    Envoy's own rules end a name at the first dot, and names of models have dots. So the names of
    clusters and routes end in '/' there, which no model's name contains.
    """
    return {
        "use_all_default_tags": False,
        "stats_tags": [
            {"tag_name": "model", "regex": r"^cluster\.(([^/]+)/\.)"},
            {"tag_name": "model", "regex": r"^vhost\.all\.route\.(([^/]+)/\.)"},
            {"tag_name": "team", "regex": r"\.policy\.((.+)\.)(?:allowed|denied)$"},
            {"tag_name": "response_code", "regex": r"_rq(_(\d{3}))$"},
            {"tag_name": "response_code_class", "regex": r"_rq(_(\dxx))$"},
        ],
    }
