"""The gateway that follows from the settings: its keys, its pods, and what they cost."""

from decimal import Decimal
from typing import Any

import pytest

from models.access import AccessSettings, Exposure, KeySettings, LimitSettings
from planning.access import GatewayPlan, access_plan, gateway_memory_mib
from planning.budget.cost import cpu_nodes
from planning.infrastructure.cluster import HEAD, router_group
from tests.planning.small_stacks import planned

MODEL = "qwen2.5-0.5b-instruct"
KEY = {"secure": "AAAB"}


def test_a_key_without_a_limit_of_its_own_has_that_of_all() -> None:
    settings = AccessSettings(
        keys={"a": KeySettings(), "b": KeySettings(requests_per_minute=5, models=("m",))},
        limits=LimitSettings(requests_per_minute=600),
    )
    keys = access_plan(settings, "llm").keys
    assert [(key.team, key.models, key.requests_per_minute) for key in keys] == [
        ("a", None, 600),
        ("b", ("m",), 5),
    ]


def test_the_gateway_is_named_after_the_service() -> None:
    plan = access_plan(AccessSettings(), "llm-serving")
    assert plan.gateway.name == "llm-serving-gateway"
    assert plan.gateway.replicas == 2
    assert plan.exposure is Exposure.NONE


@pytest.mark.parametrize(("body", "memory"), [(1, 320), (8, 1856), (16, 3584), (32, 7040)])
def test_memory_holds_the_most_expensive_bodies_of_both_workers(body: int, memory: int) -> None:
    assert gateway_memory_mib(body) == memory
    assert memory >= 68 + 2 * 92 * body


def test_the_url_is_the_host_s_or_the_service_s() -> None:
    assert planned([MODEL], access={}).url == "http://llm-serving-gateway.ai"
    external = {
        "exposure": "external",
        "host": "llm.acme.example",
        "certificate": "managed",
        "keys": {"search": KEY},
    }
    assert planned([MODEL], access=external).url == "https://llm.acme.example"


def test_a_model_s_endpoint_is_the_gateway_s_because_the_direct_way_is_closed() -> None:
    def endpoint(**sections: Any) -> str:
        plan = planned([MODEL], **sections)
        return plan.endpoint(plan.models[0])

    assert endpoint(access={}) == f"http://llm-serving-gateway.ai/{MODEL}/v1"
    assert endpoint() == f"http://llm-serving-serve-svc.ai:8000/{MODEL}/v1"


def test_the_gateway_s_pods_take_room_beside_the_head_and_the_routers() -> None:
    def nodes(cpu_millis: int, memory_mib: int, replicas: int = 2) -> int:
        gateway = GatewayPlan(
            name="g",
            replicas=replicas,
            max_body_mib=8,
            memory_mib=memory_mib,
            cpu_millis=cpu_millis,
            workers=2,
        )
        return cpu_nodes("e2-standard-8", HEAD, router_group(()), 3, gateway=gateway)

    assert nodes(250, 960) == 1
    assert nodes(1000, 960) == 2
    assert nodes(250, 4096) == 2
    assert nodes(1000, 960, replicas=9) == 3


def test_a_load_balancer_is_paid_for_and_one_inside_the_cluster_is_none() -> None:
    def total(exposure: str) -> Decimal:
        access = {"exposure": exposure, "keys": {"search": KEY}}
        return planned([MODEL], access=access).cost.total.minimum

    inside = planned([MODEL], access={"keys": {"search": KEY}}).cost
    assert inside.load_balancer is None
    assert inside.total.minimum == planned([MODEL]).cost.total.minimum
    # 0.025 USD an hour for 730 hours.
    assert total("internal") - total("none") == Decimal("18.25")


def test_a_canary_reaches_the_plan() -> None:
    other = {"model": MODEL, "name": "b", "canaryOf": MODEL, "percent": 5}
    stable, canary = planned([MODEL, other], access={}).models
    assert (stable.canary_of, stable.canary_percent) == (None, 0)
    assert (canary.canary_of, canary.canary_percent) == (MODEL, 5)
