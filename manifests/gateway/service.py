"""Writes the Services of the gateway: the one that is asked, and the list of its own pods."""

from typing import Any, Final

from manifests.gateway.places import POD
from manifests.labels import labels
from planning import Plan

COMPONENT: Final = "gateway"
HTTP_PORT: Final = 80
HTTPS_PORT: Final = 443


def gateway_service(plan: Plan) -> dict[str, Any]:
    """The Service, as ClusterIP; other kinds of exposure are written on top of it.

    Its port is 443 if the gateway itself ends TLS.
    """
    access = plan.access
    name, port = (
        ("https", HTTPS_PORT) if access is not None and access.ends_tls else ("http", HTTP_PORT)
    )
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(plan, gateway_name(plan)),
        "spec": {
            "type": "ClusterIP",
            "selector": pod_labels(plan),
            "ports": [{"name": name, "port": port, "targetPort": POD.port, "protocol": "TCP"}],
        },
    }


def peers_service(plan: Plan) -> dict[str, Any]:
    """The headless Service from which each pod learns how many there are, to share the limits."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(plan, peers_name(plan)),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "selector": pod_labels(plan),
            "ports": [{"name": "http", "port": POD.port, "targetPort": POD.port}],
        },
    }


def gateway_name(plan: Plan) -> str:
    """The name of the Deployment and its Service; ValueError if the plan has no gateway."""
    if plan.access is None:
        raise ValueError("the plan has no gateway")
    return plan.access.gateway.name


def peers_name(plan: Plan) -> str:
    """The name of the headless Service."""
    return f"{gateway_name(plan)}-peers"


def pod_labels(plan: Plan) -> dict[str, str]:
    """What selects the gateway's pods and no other."""
    return labels(plan, COMPONENT)


def _metadata(plan: Plan, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": plan.service.namespace,
        "labels": labels(plan, COMPONENT),
    }
