"""All Kubernetes objects of the gateway, each written once."""

from dataclasses import dataclass
from typing import Any

from manifests.gateway.deployment import disruption_budget, gateway_account, gateway_deployment
from manifests.gateway.envoy_files import start_file, watched_files
from manifests.gateway.external_keys import external_keys
from manifests.gateway.places import KEYS_FILE, START_FILE
from manifests.gateway.service import (
    COMPONENT,
    gateway_name,
    gateway_service,
    peers_service,
)
from manifests.labels import labels
from manifests.service import Manifest
from planning import Plan


@dataclass(frozen=True, kw_only=True)
class GatewayManifests:
    """The Kubernetes objects of one gateway.

    start: the ConfigMap that a pod reads when it starts. The pod template carries its hash, so
        another start file is a rollout.
    watched: the ConfigMap that running pods follow; its change starts no pod anew.
    keys: the Secret that running pods follow, without its `stringData`. Whoever creates it adds
        the text of `keys_file` under `keys_key`.
    external_keys: what writes that Secret, if the keys are kept in Secret Manager; the Secret is
        then made by nobody else.
    deployment: the pods; to be created after the three above and the account.
    service: the Service as ClusterIP; other kinds of exposure are written on top of it.
    peers: the headless Service from which the pods learn how many they are.
    pod_labels: what selects the gateway's pods and no other, for network policies.
    """

    start: Manifest
    watched: Manifest
    keys: Manifest
    keys_key: str
    external_keys: Manifest | None
    deployment: Manifest
    service: Manifest
    peers: Manifest
    service_account: Manifest
    disruption_budget: Manifest
    pod_labels: dict[str, str]


def gateway_manifests(plan: Plan) -> GatewayManifests | None:
    """The gateway of a plan; None if the plan has none."""
    access = plan.access
    if access is None:
        return None
    name = gateway_name(plan)
    start = _config_map(plan, f"{name}-start", {START_FILE: start_file(plan, access)})
    watched = _config_map(plan, f"{name}-routes", watched_files(plan, access))
    keys = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(plan, f"{name}-keys"),
        "type": "Opaque",
    }
    return GatewayManifests(
        start=start,
        watched=watched,
        keys=keys,
        keys_key=KEYS_FILE,
        external_keys=external_keys(plan, access, f"{name}-keys"),
        deployment=gateway_deployment(
            plan,
            access,
            start=start,
            watched=f"{name}-routes",
            keys=f"{name}-keys",
        ),
        service=gateway_service(plan),
        peers=peers_service(plan),
        service_account=gateway_account(plan),
        disruption_budget=disruption_budget(plan),
        pod_labels=dict(labels(plan, COMPONENT)),
    )


def _config_map(plan: Plan, name: str, data: dict[str, str]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(plan, name),
        "data": data,
    }


def _metadata(plan: Plan, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": plan.service.namespace,
        "labels": labels(plan, COMPONENT),
    }
