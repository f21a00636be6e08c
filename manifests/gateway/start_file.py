"""Writes the start file: listeners, limits of memory, metrics, and where the rest is read.

A pod reads it once, so that its edit is a rollout. Envoy could follow a file of listeners, but an
edit there cuts streams.
"""

from typing import Any, Final

from manifests.gateway.access_log import access_log
from manifests.gateway.certificate import tls_socket
from manifests.gateway.clusters import dns_members, socket_address
from manifests.gateway.errors import error_mappers
from manifests.gateway.http_filters import http_filters
from manifests.gateway.metrics import admin, admin_cluster, metrics_listener, stats
from manifests.gateway.overload import overload_manager
from manifests.gateway.places import CLUSTERS_FILE, POD, ROUTES_FILE, Places
from manifests.gateway.routes import ROUTES, idle_timeout
from manifests.gateway.service import peers_name
from manifests.gateway.typed import file_text, typed, watched_source
from planning import AccessPlan, Plan

MIB: Final = 1024 * 1024
# No model has this name, because it begins with '-': a model's cluster is named after the model.
PEERS: Final = "-peers"
# Google's load balancers keep idle connections for 600 s, and the side that asks must end them.
_IDLE: Final = "620s"
# A body of 32 MiB over a line of 1 Mbit/s takes 270 s.
_UPLOAD: Final = "300s"


def start_file(plan: Plan, access: AccessPlan, places: Places = POD) -> str:
    """The text of the start file."""
    host = f"{peers_name(plan)}.{plan.service.namespace}"
    return file_text(
        {
            "node": {"id": "gateway", "cluster": plan.service.name},
            "admin": admin(places),
            "stats_config": stats(),
            "overload_manager": overload_manager(access.gateway.memory_mib * MIB),
            # By its members the limits are shared.
            "cluster_manager": {"local_cluster_name": PEERS},
            "dynamic_resources": {"cds_config": watched_source(places.watched, CLUSTERS_FILE)},
            "static_resources": {
                "listeners": [_listener(plan, access, places), metrics_listener(places)],
                "clusters": [
                    {"name": PEERS, **dns_members(PEERS, host, POD.port)},
                    admin_cluster(places),
                ],
            },
        }
    )


def _listener(plan: Plan, access: AccessPlan, places: Places) -> dict[str, Any]:
    manager = typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="gateway",
        codec_type="AUTO",
        use_remote_address=True,
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        always_set_request_id_in_response=True,
        server_name="ray-llm",
        request_headers_timeout="10s",
        request_timeout=_UPLOAD,
        stream_idle_timeout=idle_timeout(plan),
        common_http_protocol_options={"idle_timeout": _IDLE},
        http2_protocol_options={
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65_536,
            "initial_connection_window_size": MIB,
        },
        rds={
            "route_config_name": ROUTES,
            "config_source": watched_source(places.watched, ROUTES_FILE),
        },
        http_filters=http_filters(places),
        local_reply_config=error_mappers(),
        access_log=[access_log()],
    )
    return {
        "name": "requests",
        "address": socket_address(places.address, places.port),
        # The largest body: a filter that reads it answers 413 beyond.
        "per_connection_buffer_limit_bytes": access.gateway.max_body_mib * MIB,
        "filter_chains": [
            {
                "filters": [{"name": "http", "typed_config": manager}],
                **(tls_socket(places) if access.ends_tls else {}),
            }
        ],
    }
