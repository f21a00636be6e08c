"""The planned cost of a period beside what ran in it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from diagnosis import Period, Usage
from planning import Plan
from reports.cost_text import cost_text
from reports.measured_cost import MeasuredCost, measured_cost
from tests.planning.small_stacks import planned, small

END = datetime(2026, 11, 29, tzinfo=UTC)
PERIOD = Period(start=END - timedelta(hours=100), end=END)
NIGHTS = {"sleep": "0 20 * * 1-5", "wake": "0 7 * * 1-5", "timeZone": "Europe/Berlin"}
MODELS = [small(name="chat", replicas={"min": 1, "max": 2}), small(name="rare", pool="l4-x2")]


def compared(node_hours: dict[str, float], gpu_hours: dict[str, float], plan: Plan) -> MeasuredCost:
    usage = Usage(
        period=PERIOD, source="a test", node_hours=node_hours, gpu_hours=gpu_hours, is_whole=True
    )
    return measured_cost(plan, usage)


def stack(**keys: Any) -> Plan:
    return planned(MODELS, gpuPools=["l4", "l4-x2"], **keys)


def test_off_hours_are_not_planned_for() -> None:
    always, nights = (compared({}, {}, plan).pools[0] for plan in (stack(), stack(offHours=NIGHTS)))
    assert always.planned_node_hours.minimum == 100
    # Of a week's 168 hours the window takes 113, less the quarter of an hour of each downscale.
    assert 30 < nights.planned_node_hours.minimum < 40
    assert always.planned_usd is not None
    assert nights.planned_usd is not None
    assert nights.planned_usd.minimum < always.planned_usd.minimum / 2


def test_a_model_pays_the_gpus_that_it_had_and_the_rest_is_idle() -> None:
    plan = stack()
    pool = compared({"l4": 100, "l4-x2": 50}, {"chat": 60, "rare": 70}, plan).pools[1]
    price = plan.pool("l4-x2").node_usd_per_hour
    assert price is not None
    assert pool.usd == 50 * price
    assert pool.models[0].usd == 35 * price
    assert pool.idle_gpu_hours == 30


def test_a_model_whose_hours_are_not_known_makes_the_idle_ones_unknown() -> None:
    found = compared({"l4": 100, "l4-x2": 50}, {"chat": 60}, stack())
    assert found.pools[0].idle_gpu_hours == 40
    assert found.pools[1].idle_gpu_hours is None
    assert found.is_known


@pytest.mark.parametrize(("hours", "above"), [(200.0, False), (201.9, False), (203.0, True)])
def test_above_the_plan_is_above_its_maximum(hours: float, above: bool) -> None:
    assert compared({"l4": hours, "l4-x2": 0}, {}, stack()).is_above_plan is above


def test_a_price_that_is_not_known_is_no_zero() -> None:
    # The catalogue has no price of an L4 there.
    plan = planned([small(name="chat")], region="asia-east1", gpuPools=["l4"])
    found = compared({"l4": 10}, {"chat": 10}, plan)
    assert (found.pools[0].usd, found.pools[0].models[0].usd, found.usd) == (None, None, None)


RESERVED = {
    "reservation": "team-l4",
    "zone": "us-central1-a",
    "machineType": "g2-standard-12",
    "nodes": 1,
}


def test_nodes_cost_what_their_way_does_and_reserved_ones_all_the_time() -> None:
    prices = {"l4": {"onDemand": 1.0, "spot": 0.4}}
    pools = [{"tier": "l4", "capacity": [RESERVED, "spot"]}]
    plan = planned(
        [small(name="chat", replicas={"min": 1, "max": 2})], gpuPools=pools, prices=prices
    )
    ran = {"l4-res-team-l4": 60.0, "l4-spot": 50.0}
    usage = Usage(
        period=PERIOD,
        source="a test",
        node_hours={"l4": 110.0},
        gpu_hours={"chat": 110.0},
        is_whole=True,
        hours_of_ways={"l4": ran},
    )
    found = measured_cost(plan, usage)
    assert found.pools[0].usd == 100 * 1 + 50 * Decimal("0.4")
    assert "by which way" not in cost_text(plan, found)
    unknown = measured_cost(plan, replace(usage, hours_of_ways={}))
    assert plan.pools[0].node_usd_per_hour is not None
    assert unknown.pools[0].usd == 110 * plan.pools[0].node_usd_per_hour
    assert "l4: by which way its nodes came is not known" in " ".join(
        cost_text(plan, unknown).split()
    )
