"""Writes the Deployment of the gateway, its account and its disruption budget.

All of it satisfies the Pod Security level "restricted". The root file system is read-only and
Envoy writes nothing.
"""

import hashlib
from typing import Any, Final

from manifests.gateway.drain import DRAIN_SECONDS, drain_command
from manifests.gateway.places import LIVE_PATH, POD, READY_PATH, START_FILE
from manifests.gateway.service import COMPONENT, gateway_name, pod_labels
from manifests.labels import labels
from manifests.pods import cpu_node_selector
from models.mirror import in_mirror
from planning import AccessPlan, Plan

IMAGE: Final = "envoyproxy/envoy:v1.40.0"
START_HASH: Final = "ray-llm/gateway-start-file"
"""The pod's annotation that changes with the start file, which only new pods read."""
_USER: Final = 65532


def gateway_deployment(
    plan: Plan, access: AccessPlan, *, start: dict[str, Any], watched: str, keys: str
) -> dict[str, Any]:
    """The Deployment.

    start: the ConfigMap of the start file.
    watched, keys: the names of the ConfigMap and of the Secret that running pods follow.
    """
    gateway = access.gateway
    name = gateway_name(plan)
    text = start["data"][START_FILE]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(plan),
        "spec": {
            "replicas": gateway.replicas,
            "selector": {"matchLabels": pod_labels(plan)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": {
                "metadata": {
                    "labels": pod_labels(plan),
                    "annotations": {START_HASH: hashlib.sha256(text.encode()).hexdigest()[:16]},
                },
                "spec": {
                    "serviceAccountName": name,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    **cpu_node_selector(plan),
                    "topologySpreadConstraints": [
                        _spread(plan, "kubernetes.io/hostname"),
                        _spread(plan, "topology.kubernetes.io/zone"),
                    ],
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": _USER,
                        "runAsGroup": _USER,
                        "fsGroup": _USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    # A stream may last as long as a request, and the drain comes before.
                    "terminationGracePeriodSeconds": plan.service.request_timeout_seconds
                    + DRAIN_SECONDS,
                    "containers": [_container(access, in_mirror(IMAGE, plan.release.mirror))],
                    "volumes": _volumes(
                        access, start=start["metadata"]["name"], watched=watched, keys=keys
                    ),
                },
            },
        },
    }


def envoy_arguments(*, start_file: str, workers: int) -> list[str]:
    """How Envoy is started.

    Without `--reject-unknown-dynamic-fields` Envoy drops a field that it does not know from a
    watched file and takes the rest, which opens routes and keys.
    """
    return [
        "--config-path",
        start_file,
        "--reject-unknown-dynamic-fields",
        "--disable-hot-restart",
        "--concurrency",
        str(workers),
        "--drain-time-s",
        str(DRAIN_SECONDS),
        "--drain-strategy",
        "immediate",
        "--log-level",
        "warning",
    ]


def gateway_account(plan: Plan) -> dict[str, Any]:
    """The ServiceAccount, which may do nothing and gets no token."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(plan),
        "automountServiceAccountToken": False,
    }


def disruption_budget(plan: Plan) -> dict[str, Any]:
    """The PodDisruptionBudget: of the gateway's pods, at most one is evicted at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(plan),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": pod_labels(plan)}},
    }


def _container(access: AccessPlan, image: str) -> dict[str, Any]:
    gateway = access.gateway
    memory = f"{gateway.memory_mib}Mi"
    alive = {"httpGet": {"path": LIVE_PATH, "port": "metrics"}}
    mounts = {"start": POD.start, "watched": POD.watched, "keys": POD.keys}
    if access.ends_tls:
        mounts["certificate"] = POD.certificate
    return {
        "name": "envoy",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["envoy"],
        "args": envoy_arguments(start_file=f"{POD.start}/{START_FILE}", workers=gateway.workers),
        "ports": [
            {"name": "http", "containerPort": POD.port},
            {"name": "metrics", "containerPort": POD.metrics_port},
        ],
        "resources": {
            "requests": {"cpu": f"{gateway.cpu_millis}m", "memory": memory},
            "limits": {"memory": memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "startupProbe": {**alive, "periodSeconds": 1, "failureThreshold": 60},
        "livenessProbe": {
            **alive,
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        # Through the listener: Envoy calls itself ready without routes and without keys too.
        "readinessProbe": {
            "httpGet": {
                "path": READY_PATH,
                "port": "http",
                "scheme": "HTTPS" if access.ends_tls else "HTTP",
            },
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": 2,
        },
        "lifecycle": {"preStop": {"exec": {"command": drain_command(admin_port=POD.admin_port)}}},
        "volumeMounts": [
            {"name": name, "mountPath": folder, "readOnly": True} for name, folder in mounts.items()
        ],
    }


def _volumes(access: AccessPlan, *, start: str, watched: str, keys: str) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": "start", "configMap": {"name": start}},
        {"name": "watched", "configMap": {"name": watched}},
        {"name": "keys", "secret": {"secretName": keys, "defaultMode": 0o440}},
    ]
    if access.ends_tls and access.certificate is not None:
        secret = {"secretName": access.certificate, "defaultMode": 0o440}
        volumes.append({"name": "certificate", "secret": secret})
    return volumes


def _spread(plan: Plan, key: str) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": pod_labels(plan)},
    }


def _metadata(plan: Plan) -> dict[str, Any]:
    return {
        "name": gateway_name(plan),
        "namespace": plan.service.namespace,
        "labels": labels(plan, COMPONENT),
    }
