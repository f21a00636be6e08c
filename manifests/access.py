"""All that a plan's way in consists of: the gateway, what leads to it, and what it closes."""

import shlex
from dataclasses import dataclass

from manifests.exposure import ExposureManifests, exposure_manifests
from manifests.gateway.objects import GatewayManifests, gateway_manifests
from manifests.network_policies import ray_network_policy
from manifests.service import Manifest
from manifests.service_access import port_forward
from planning import AccessPlan, Plan

KEY_VARIABLE = "LLM_KEY"


@dataclass(frozen=True, kw_only=True)
class AccessManifests:
    """The way in.

    plan: what was decided of it; its keys name the teams that need a value.
    read_key: the shell command that puts a team's key into $LLM_KEY; None without keys.
    port_forward: the shell command that brings the gateway to port 8080 of this machine.
    """

    plan: AccessPlan
    gateway: GatewayManifests
    exposure: ExposureManifests
    network_policies: tuple[Manifest, ...]
    read_key: str | None
    port_forward: str

    def first_curl(self, url: str) -> str:
        """A request for the list of models; it names the key and has not its value."""
        header = f' --header "Authorization: Bearer ${KEY_VARIABLE}"' if self.plan.keys else ""
        return f"curl {url}/v1/models{header}"


def access_manifests(plan: Plan) -> AccessManifests | None:
    """The way in of a plan; None if the plan has none."""
    gateway = gateway_manifests(plan)
    access = plan.access
    if gateway is None or access is None:
        return None
    exposure = exposure_manifests(plan, access)
    service = exposure.service
    [port] = service["spec"]["ports"]
    return AccessManifests(
        plan=access,
        gateway=gateway,
        exposure=exposure,
        network_policies=(ray_network_policy(plan),),
        read_key=_read_key(plan, access),
        port_forward=port_forward(
            plan.service.namespace, service["metadata"]["name"], port["port"], local_port=8080
        ),
    )


def _read_key(plan: Plan, access: AccessPlan) -> str | None:
    if not access.keys:
        return None
    path = shlex.quote(f"ray-llm:access.keys.{access.keys[0].team}")
    return f"{KEY_VARIABLE}=$(pulumi config get --stack {plan.stack} --path {path})"
