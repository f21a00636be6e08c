"""Writes from where the gateway can be reached: its Service and the load balancer before it.

- none: a Service of type ClusterIP.
- internal: GKE's internal passthrough load balancer, on port 80.
- external with a Secret's certificate: GKE's external passthrough load balancer on port 443; the
  gateway ends TLS.
- external with a managed certificate: a GKE Gateway, whose load balancer ends TLS with a
  certificate of Certificate Manager. GKE's ManagedCertificate works with Ingress alone
  (https://docs.cloud.google.com/kubernetes-engine/docs/concepts/gateway-security). It has no port
  80, so nobody sends a key in plain text.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from manifests.gateway.places import POD, READY_PATH
from manifests.gateway.service import (
    COMPONENT,
    HTTP_PORT,
    HTTPS_PORT,
    gateway_name,
    gateway_service,
)
from manifests.labels import labels
from manifests.service import Manifest
from models.access import Exposure
from planning import AccessPlan, Plan

GATEWAY_CLASS: Final = "gke-l7-global-external-managed"
_LONGEST_DRAIN_SECONDS: Final = 3600
"""The most that Google's load balancers take for the end of a backend's connections."""
_LONGEST_NAME: Final = 63


@dataclass(frozen=True, kw_only=True)
class ManagedCertificate:
    """What Google needs for the certificate of a host, by the names that it gets.

    The certificate and the entry cannot get another host, so their names hold a hash of it: the new
    ones come before the old ones go.
    """

    host: str
    certificate: str
    certificate_map: str
    entry: str


@dataclass(frozen=True, kw_only=True)
class ExposureManifests:
    """The objects that lead to the gateway.

    service: of the gateway's pods.
    objects: those of GKE's Gateway; none if the Service is the way in.
    address: the name of the address to reserve; None without one. It is global if Google makes the
        certificate, and otherwise of the region.
    certificate: None unless Google makes it.
    url: the base URL, without `/v1`; None if it is known only when the load balancer is there.
    scheme: of that URL.
    """

    exposure: Exposure
    project: str
    region: str
    service: Manifest
    objects: tuple[Manifest, ...]
    address: str | None
    certificate: ManagedCertificate | None
    url: str | None
    scheme: str


def exposure_manifests(plan: Plan, access: AccessPlan) -> ExposureManifests:
    """The objects of a plan's exposure."""
    managed = access.exposure is Exposure.EXTERNAL and access.managed_certificate
    google = _google_name(plan)
    return ExposureManifests(
        exposure=access.exposure,
        project=plan.project,
        region=plan.region,
        service=_service(plan, access, google),
        objects=_gateway_objects(plan, access, google) if managed else (),
        address=google if access.exposure is Exposure.EXTERNAL else None,
        certificate=_certificate(access, google) if managed else None,
        url=None if access.exposure is Exposure.INTERNAL else plan.url,
        scheme="https" if access.certificate else "http",
    )


def _service(plan: Plan, access: AccessPlan, google: str) -> Manifest:
    service = gateway_service(plan)
    if access.exposure is Exposure.NONE or access.managed_certificate:
        return service
    # GKE chooses the kind of load balancer when it makes one, and a Service keeps its kind.
    annotations = (
        {"networking.gke.io/load-balancer-type": "Internal"}
        if access.exposure is Exposure.INTERNAL
        else {
            "cloud.google.com/l4-rbs": "enabled",
            "networking.gke.io/load-balancer-ip-addresses": google,
        }
    )
    return {
        **service,
        "metadata": {**service["metadata"], "annotations": annotations},
        "spec": {**service["spec"], "type": "LoadBalancer"},
    }


def _google_name(plan: Plan) -> str:
    """The name of what Google has outside the cluster: unique in a project, at most 63 long."""
    whole = f"{plan.cluster.name}-{plan.service.namespace}-{gateway_name(plan)}"
    if len(whole) <= _LONGEST_NAME - 7:
        return whole
    return f"{whole[: _LONGEST_NAME - 14].rstrip('-')}-{_digest(whole)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _certificate(access: AccessPlan, google: str) -> ManagedCertificate:
    host = access.host or ""
    of_host = f"{google}-{_digest(host)}"
    return ManagedCertificate(host=host, certificate=of_host, certificate_map=google, entry=of_host)


def _gateway_objects(plan: Plan, access: AccessPlan, google: str) -> tuple[Manifest, ...]:
    name = gateway_name(plan)
    seconds = plan.service.request_timeout_seconds
    target = {"targetRef": {"group": "", "kind": "Service", "name": name}}
    gateway = _object(
        plan,
        "gateway.networking.k8s.io/v1",
        "Gateway",
        {
            "gatewayClassName": GATEWAY_CLASS,
            "listeners": [
                {
                    "name": "https",
                    "protocol": "HTTPS",
                    "port": HTTPS_PORT,
                    "allowedRoutes": {"namespaces": {"from": "Same"}},
                }
            ],
            "addresses": [{"type": "NamedAddress", "value": google}],
        },
        {"networking.gke.io/certmap": google},
    )
    route = _object(
        plan,
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        {
            "parentRefs": [{"name": name, "sectionName": "https"}],
            "hostnames": [access.host],
            "rules": [{"backendRefs": [{"name": name, "port": HTTP_PORT}]}],
        },
    )
    health = _object(
        plan,
        "networking.gke.io/v1",
        "HealthCheckPolicy",
        {
            "default": {
                "checkIntervalSec": 5,
                "timeoutSec": 5,
                "healthyThreshold": 1,
                "unhealthyThreshold": 2,
                "config": {
                    "type": "HTTP",
                    # Without keys it answers as the readiness probe does; `/` would ask for one.
                    "httpHealthCheck": {
                        "portSpecification": "USE_FIXED_PORT",
                        "port": POD.port,
                        "requestPath": READY_PATH,
                    },
                },
            },
            **target,
        },
    )
    policy = {"securityPolicy": access.security_policy} if access.security_policy else {}
    backend = _object(
        plan,
        "networking.gke.io/v1",
        "GCPBackendPolicy",
        {
            "default": {
                # Google's own 30 s would cut streams, and first requests to sleeping models.
                "timeoutSec": seconds,
                # Otherwise a pod that goes loses its streams.
                "connectionDraining": {"drainingTimeoutSec": min(seconds, _LONGEST_DRAIN_SECONDS)},
                **policy,
            },
            **target,
        },
    )
    return gateway, route, health, backend


def _object(
    plan: Plan,
    api_version: str,
    kind: str,
    spec: dict[str, Any],
    annotations: dict[str, str] | None = None,
) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": gateway_name(plan),
            "namespace": plan.service.namespace,
            "labels": labels(plan, COMPONENT),
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": spec,
    }
