"""Writes who may reach the Ray pods: nobody but those that are named here.

Ray has no authentication: whoever reaches 8265, 10001 or 6379 runs code, and whoever reaches 8000
asks every model. In a cluster that this program creates the policy is enforced, because it has
GKE's Dataplane V2. What stays open by itself: the kubelet's probes and `kubectl port-forward`,
which come from the pod's own node. Policies add up, so a Prometheus of somebody else's needs only
one of its own; that of `ray-llm:monitoring` is let in here.
"""

from typing import Any, Final

from manifests.gateway.service import pod_labels
from manifests.labels import labels
from manifests.monitoring.scraping import AUTOSCALER_PORT
from manifests.service import Manifest
from manifests.smoke_test.access import NAME as SMOKE_TEST
from models.stack import KubeRayInstall
from planning import Plan

OPERATOR_NAMESPACE: Final = "kuberay-system"
"""Where this program installs KubeRay's operator."""
_METRICS_PORT: Final = 8080
# GKE's managed collection runs in the second one, its older form in the first.
_COLLECTORS: Final = ("gmp-system", "gke-gmp-system")
_NAMESPACE: Final = "kubernetes.io/metadata.name"


def ray_network_policy(plan: Plan) -> Manifest:
    """The NetworkPolicy of a service's Ray pods."""
    service = plan.service
    serve, dashboard = service.port, service.dashboard_port
    # Pods of a RayService have no label with its name. Its namespace has no other Ray cluster.
    ray_pods = {"ray.io/is-ray-node": "yes"}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": f"{service.name}-closed",
            "namespace": service.namespace,
            "labels": labels(plan, "network-policy"),
        },
        "spec": {
            "podSelector": {"matchLabels": ray_pods},
            "policyTypes": ["Ingress"],
            "ingress": [
                # Ray's nodes choose most of their ports themselves.
                {"from": [_pods(ray_pods)]},
                _rule([_pods(pod_labels(plan))], serve),
                _rule([_pods(labels(plan, SMOKE_TEST))], serve, dashboard),
                # The operator asks for the models' states, and the head's proxy for its health.
                _rule([_operator(plan)], serve, dashboard),
                # The API server comes this way when an `up` asks Ray Serve through it.
                _rule([_pods({"k8s-app": "konnectivity-agent"}, "kube-system")], serve, dashboard),
                *_collectors(plan),
            ],
        },
    }


def _collectors(plan: Plan) -> list[dict[str, Any]]:
    """Who may ask for metrics: Google's collectors always, and the Prometheus of the stack."""
    google = [
        _pods({"app.kubernetes.io/name": "collector"}, namespace) for namespace in _COLLECTORS
    ]
    monitoring = plan.monitoring
    if monitoring is None:
        return [_rule(google, _METRICS_PORT)]
    own = monitoring.prometheus_namespace
    prometheus = [] if own is None else [_pods({"app.kubernetes.io/name": "prometheus"}, own)]
    return [_rule([*google, *prometheus], _METRICS_PORT, AUTOSCALER_PORT)]


def _operator(plan: Plan) -> dict[str, Any]:
    """The operator; of one that others installed, the label alone is known."""
    label = {"app.kubernetes.io/name": "kuberay-operator"}
    if plan.release.install is KubeRayInstall.HELM:
        return _pods(label, OPERATOR_NAMESPACE)
    return {"namespaceSelector": {}, **_pods(label)}


def _pods(matching: dict[str, str], namespace: str | None = None) -> dict[str, Any]:
    """Pods with these labels, of the policy's own namespace or of another."""
    pods: dict[str, Any] = {"podSelector": {"matchLabels": matching}}
    if namespace is None:
        return pods
    return {"namespaceSelector": {"matchLabels": {_NAMESPACE: namespace}}, **pods}


def _rule(sources: list[dict[str, Any]], *ports: int) -> dict[str, Any]:
    return {
        "from": sources,
        "ports": [{"protocol": "TCP", "port": port} for port in ports],
    }
