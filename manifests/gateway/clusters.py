"""Writes the clusters, in Envoy's sense: one for each model, so that metrics tell them apart.

All of them are the one Service of Ray Serve.
"""

from typing import Any, Final

from manifests.gateway.typed import resources, typed
from planning import Plan

# Below what Ray Serve keeps an idle connection (uvicorn's 5 s, in the oldest releases): the
# backend would close it just as a request is sent.
_IDLE: Final = "4s"
# KubeRay moves the Service to another Ray cluster; a connection stays with the old one.
_CONNECTION: Final = "60s"
# Envoy's own limit is 1,024: the next request would wait without a word.
_MOST: Final = 10_000


def clusters_file(plan: Plan) -> str:
    """The text of the clusters' file."""
    host = f"{plan.service.serve_service}.{plan.service.namespace}"
    return resources(
        *(
            typed(
                "config.cluster.v3.Cluster",
                name=model.name,
                alt_stat_name=f"{model.name}/",
                **dns_members(model.name, host, plan.service.port),
                circuit_breakers={
                    "thresholds": [
                        {
                            "max_connections": _MOST,
                            "max_pending_requests": _MOST,
                            "max_requests": _MOST,
                            "max_retries": _MOST,
                        }
                    ]
                },
                # Of one member: otherwise it is asked in its absence too.
                common_lb_config={"healthy_panic_threshold": {"value": 0}},
                # A model that wakes says nothing for minutes.
                upstream_connection_options={"tcp_keepalive": {"keepalive_time": 60}},
                typed_extension_protocol_options={
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                        "extensions.upstreams.http.v3.HttpProtocolOptions",
                        common_http_protocol_options={
                            "idle_timeout": _IDLE,
                            "max_connection_duration": _CONNECTION,
                        },
                        explicit_http_config={"http_protocol_options": {}},
                    )
                },
            )
            for model in plan.models
        )
    )


def dns_members(name: str, host: str, port: int) -> dict[str, Any]:
    """The part of a cluster whose members are the addresses of a name."""
    return {
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": socket_address(host, port)}}]}
            ],
        },
    }


def socket_address(host: str, port: int) -> dict[str, Any]:
    """An address as Envoy writes it."""
    return {"socket_address": {"address": host, "port_value": port}}
