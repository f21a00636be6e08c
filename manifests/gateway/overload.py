"""Writes what Envoy does before its memory ends: it refuses requests instead of being killed."""

from typing import Any, Final

from manifests.gateway.typed import typed

MOST_CONNECTIONS: Final = 20_000
_HEAP_SHARE: Final = 0.95


def overload_manager(memory_bytes: int) -> dict[str, Any]:
    """memory_bytes: the limit of the pod."""
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            _monitor("fixed_heap", max_heap_size_bytes=int(memory_bytes * _HEAP_SHARE)),
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": typed(
                    "extensions.resource_monitors.downstream_connections.v3"
                    ".DownstreamConnectionsConfig",
                    max_active_downstream_connections=MOST_CONNECTIONS,
                ),
            },
        ],
        "actions": [
            _action("envoy.overload_actions.shrink_heap", 0.85),
            _action("envoy.overload_actions.stop_accepting_requests", 0.92),
        ],
    }


def _monitor(name: str, **fields: Any) -> dict[str, Any]:
    message = f"extensions.resource_monitors.{name}.v3.FixedHeapConfig"
    return {
        "name": f"envoy.resource_monitors.{name}",
        "typed_config": typed(message, **fields),
    }


def _action(name: str, share: float) -> dict[str, Any]:
    trigger = {"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": share}}
    return {"name": name, "triggers": [trigger]}
