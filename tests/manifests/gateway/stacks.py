"""Plans with a gateway for the tests of manifests/gateway and of the real Envoy."""

from dataclasses import replace
from typing import Any

from models.access import Exposure
from planning import AccessPlan, GatewayPlan, KeyPlan, ModelPlan, Plan
from planning.access import gateway_memory_mib
from tests.manifests.plans import model, plan


def key(team: str, *models: str, per_minute: int | None = None) -> KeyPlan:
    return KeyPlan(team=team, models=models or None, requests_per_minute=per_minute)


def access(*keys: KeyPlan, max_body_mib: int = 8, workers: int = 2, **changes: Any) -> AccessPlan:
    values: dict[str, Any] = {
        "exposure": Exposure.NONE,
        "host": None,
        "certificate": None,
        "keys": keys,
        "gateway": GatewayPlan(
            name="gateway",
            replicas=2,
            max_body_mib=max_body_mib,
            memory_mib=gateway_memory_mib(max_body_mib),
            cpu_millis=500,
            workers=workers,
        ),
    }
    return AccessPlan(**{**values, **changes})


def gateway_plan(
    *keys: KeyPlan, models: tuple[ModelPlan, ...] | None = None, **changes: Any
) -> Plan:
    chosen = models or (model("a"), model("b.1"))
    return replace(plan(chosen), access=access(*keys, **changes))
