"""The ways to pay for a pool: node pools, zones, quota, and what they cost."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from models.capacity import Buying
from planning import Plan, PoolPlan
from planning.plan_costs import QuotaNeed
from tests.planning import small_stacks
from tests.planning.small_stacks import small

RESERVED = {
    "reservation": "team-l4",
    "zone": "us-central1-c",
    "machineType": "g2-standard-12",
    "nodes": 2,
}
FLEX = {"flexStart": "7d"}
EVERY_WAY = (RESERVED, "on-demand", FLEX, "spot")


ZONES = {"cluster": {"name": "llm", "zones": ["us-central1-a", "us-central1-c"]}}


def planned(models: list[Any], **keys: Any) -> Plan:
    return small_stacks.planned(models, **{**ZONES, **keys})


def stops(models: list[Any], **keys: Any) -> list[str]:
    return [problem.rule for problem in small_stacks.stops(models, **{**ZONES, **keys})]


def warnings(models: list[Any], **keys: Any) -> list[str]:
    return [problem.rule for problem in planned(models, **keys).warnings]


def pool(*ways: Any, **changes: Any) -> dict[str, Any]:
    return {"tier": "l4", "maxNodes": 4, "capacity": list(ways), **changes}


def planned_pool(*ways: Any, **changes: Any) -> PoolPlan:
    return planned([small("l4")], gpuPools=[pool(*ways, **changes)]).pools[0]


def need(plan: Plan, metric: str) -> QuotaNeed:
    return next(row for row in plan.quota if row.metric == metric)


def test_one_way_that_spot_can_say_is_the_plan_that_it_was() -> None:
    replicas = {"min": 2, "max": 2}
    for long, short in ((["spot"], {"spot": True}), (["on-demand"], {})):
        gpu = "l4-spot" if short else "l4"
        one, other = (
            planned([small(gpu, replicas=replicas)], gpuPools=[{"tier": "l4", **said}])
            for said in ({"capacity": long}, short)
        )
        assert one == other


def test_each_way_is_a_node_pool_whose_name_does_not_follow_its_place() -> None:
    names = {
        frozenset((way.buying, way.node_pool) for way in planned_pool(*order).ways)
        for order in permutations(EVERY_WAY)
    }
    assert names == {
        frozenset(
            {
                (Buying.RESERVATION, "l4-res-team-l4"),
                # A pool that was there before keeps its nodes.
                (Buying.ON_DEMAND, "l4"),
                (Buying.FLEX_START, "l4-flex-start"),
                (Buying.SPOT, "l4-spot"),
            }
        )
    }


def test_a_spot_pool_that_gets_further_ways_keeps_its_node_pool() -> None:
    pools = [pool("spot", "on-demand", name="l4-spot")]
    found = planned([small("l4-spot")], gpuPools=pools).pools[0]
    names = {way.buying: way.node_pool for way in found.ways}
    assert names == {Buying.SPOT: "l4-spot", Buying.ON_DEMAND: "l4-spot-on-demand"}


def test_a_reservation_is_in_its_zone_with_its_nodes_and_the_others_in_the_pools() -> None:
    by_way = {way.buying: way for way in planned_pool(*EVERY_WAY).ways}
    reserved, spot = by_way[Buying.RESERVATION], by_way[Buying.SPOT]
    assert (reserved.zones, reserved.max_nodes) == (("us-central1-c",), 2)
    assert (spot.zones, spot.max_nodes) == (("us-central1-a", "us-central1-c"), 4)
    assert by_way[Buying.FLEX_START].run_seconds == 7 * 24 * 3600


def test_one_way_alone_needs_no_compute_class_and_keeps_the_pools_name() -> None:
    flex = planned_pool(FLEX)
    assert (flex.compute_class, flex.node_pools) == (None, ("l4",))
    assert planned_pool("on-demand", "spot").compute_class == "l4"


@pytest.mark.parametrize(
    ("ways", "keeper"),
    [((FLEX, "spot", "on-demand"), "l4"), ((FLEX, RESERVED), "l4-res-team-l4")],
)
def test_nodes_that_stay_are_of_the_way_that_nothing_ends(
    ways: tuple[Any, ...], keeper: str
) -> None:
    found = planned_pool(*ways, minNodes=1)
    kept = [way.node_pool for way in found.ways if way.min_nodes]
    assert kept == [keeper]


def test_node_pools_of_two_pools_never_have_one_name() -> None:
    pools = [pool("on-demand", "spot"), {"tier": "l4", "spot": True}]
    assert stops([small("l4")], gpuPools=pools) == ["pool-twice"]
    cluster = {**ZONES["cluster"], "cpuPool": {"name": "l4-spot"}}
    found = stops([small("l4")], gpuPools=[pool("on-demand", "spot")], cluster=cluster)
    assert found == ["pool-twice"]


def test_a_long_reservation_has_a_name_that_gke_takes() -> None:
    way = {**RESERVED, "reservation": "projects/acme-shared/reservations/" + "a" * 60}
    names = planned_pool(way, "on-demand").node_pools
    assert all(len(name) <= 40 for name in names)
    other = {**way, "reservation": "projects/acme-other/reservations/" + "a" * 60}
    assert planned_pool(other, "on-demand").node_pools != names


def test_reservations_of_one_name_in_two_zones_are_two_ways() -> None:
    first = planned_pool(RESERVED, "on-demand").node_pools
    other = {**RESERVED, "zone": "us-central1-b"}
    both = planned_pool(RESERVED, other, "on-demand")
    assert [way.zones for way in both.ways[:2]] == [("us-central1-c",), ("us-central1-b",)]
    # The first keeps its node pool.
    assert both.node_pools[:2] == ("l4-res-team-l4", "l4-res-team-l4-us-central1-b")
    assert set(first) <= set(both.node_pools)
    for again in (RESERVED, {"reservation": RESERVED["reservation"]}):
        found = stops([small("l4")], gpuPools=[pool(RESERVED, again, "spot")])
        assert found == ["capacity-twice"]


def test_one_reservation_in_two_pools_is_warned_of() -> None:
    def said(*pools: Any) -> list[str]:
        plan = planned([small("l4"), small("l4-b", name="b")], **ZONES, gpuPools=[*pools])
        return [item.path for item in plan.warnings if item.rule == "reservation-shared"]

    first, second = pool(RESERVED, "spot"), pool("spot", RESERVED, name="l4-b")
    assert said(first, second) == ["ray-llm:gpuPools[1].capacity[1]"]
    other = pool({**RESERVED, "zone": "us-central1-b"}, "spot", name="l4-b")
    assert said(first, other) == []


def test_a_reservations_zone_follows_from_a_pool_of_one_zone() -> None:
    without = {key: value for key, value in RESERVED.items() if key != "zone"}
    found = planned_pool(without, "spot", zones=["us-central1-b"])
    assert found.ways[0].zones == ("us-central1-b",)
    assert stops([small("l4")], gpuPools=[pool(without, "spot")]) == ["reservation-zone"]


def test_ways_that_google_does_not_sell_stop_and_the_others_do_not() -> None:
    zones = {"zones": ["us-central1-b"]}
    for tier, way, sold in (
        ("b200-x8", "on-demand", False),
        ("b200-x8", {**RESERVED, "machineType": "a4-highgpu-8g", "zone": "us-central1-b"}, True),
        ("h100-80gb", {**RESERVED, "machineType": "a3-highgpu-1g"}, False),
        ("h100-80gb", FLEX, True),
    ):
        entry = {"tier": tier, "capacity": [way, "spot"], **zones}
        model = small(tier, replicas={"min": 0, "max": 2})
        found = warnings([model], gpuPools=[entry]) if sold else stops([model], gpuPools=[entry])
        assert found == ([] if sold else ["tier-provisioning"]), (tier, way)


# Quota.


def test_flex_start_and_spot_count_as_preemptible_and_reserved_nodes_as_usual_ones() -> None:
    plan = planned([small("l4")], gpuPools=[pool(RESERVED, FLEX, "spot")])
    assert need(plan, "NVIDIA_L4_GPUS").peak == 2
    assert need(plan, "PREEMPTIBLE_NVIDIA_L4_GPUS").peak == 4
    # All together there are never more nodes than the pool may have.
    assert need(plan, "GPUS_ALL_REGIONS").peak == 4


def test_h100s_count_by_family_on_demand_and_by_their_own_metric_as_flex_start() -> None:
    entry = {
        "tier": "h100-80gb-x8",
        "zones": ["us-central1-a"],
        "maxNodes": 2,
        "capacity": ["on-demand", FLEX],
    }
    plan = planned([small("h100-80gb-x8")], gpuPools=[entry])
    assert need(plan, "GPUS_PER_GPU_FAMILY.NVIDIA_H100").peak == 16
    assert need(plan, "PREEMPTIBLE_NVIDIA_H100_GPUS").peak == 16


def test_a_full_quota_of_one_way_is_no_stop_if_another_way_has_room() -> None:
    model = small("l4", replicas={"min": 3, "max": 3})
    pools = [pool("on-demand", "spot")]
    short = {"NVIDIA_L4_GPUS": 1, "PREEMPTIBLE_NVIDIA_L4_GPUS": 4, "GPUS_ALL_REGIONS": 8}
    plan = planned([model], gpuPools=pools, quotas=short)
    assert need(plan, "NVIDIA_L4_GPUS").minimum == 1
    assert need(plan, "PREEMPTIBLE_NVIDIA_L4_GPUS").minimum == 2
    assert not [warning for warning in plan.warnings if warning.rule.startswith("quota")]
    none = {**short, "PREEMPTIBLE_NVIDIA_L4_GPUS": 1}
    assert stops([model], gpuPools=pools, quotas=none) == ["quota-below-minimum"]


def test_too_little_quota_over_all_ways_is_told() -> None:
    model = small("l4", replicas={"min": 0, "max": 4})
    little = {"NVIDIA_L4_GPUS": 1, "PREEMPTIBLE_NVIDIA_L4_GPUS": 1, "GPUS_ALL_REGIONS": 8}
    plan = planned([model], gpuPools=[pool("on-demand", "spot")], quotas=little)
    assert [warning.rule for warning in plan.warnings] == ["quota-below-peak"] * 2


def test_a_second_cluster_is_held_back_by_no_quota_that_only_one_way_has() -> None:
    plan = planned([small("l4")], gpuPools=[pool("on-demand", "spot")])
    assert need(plan, "NVIDIA_L4_GPUS").of_node["l4"] == 0
    assert need(plan, "GPUS_ALL_REGIONS").of_node["l4"] == 1


# Cost.


def cost_of(*ways: Any, **keys: Any) -> Plan:
    model = small("l4", replicas={"min": 1, "max": 4})
    return planned([model], gpuPools=[pool(*ways)], **keys)


def usd(*ways: Any, **keys: Any) -> Decimal:
    return cost_of(*ways, **keys).cost.total.typical


PRICES = {"prices": {"l4": {"onDemand": 1.0, "spot": 0.4, "flexStart": 0.6}}}


@pytest.mark.parametrize("ways", list(permutations(("on-demand", FLEX, "spot"))))
def test_the_range_goes_from_the_best_single_way_to_the_dearest(ways: tuple[Any, ...]) -> None:
    cost = cost_of(*ways, **PRICES).cost
    single = [usd_of_single(way) for way in ways]
    assert cost.cheapest is not None
    assert cost.dearest is not None
    assert cost.cheapest.typical == min(single)
    assert cost.dearest.typical == max(single)
    assert cost.cheapest.typical <= cost.total.typical <= cost.dearest.typical


def usd_of_single(way: Any) -> Decimal:
    gpu = "l4-spot" if way == "spot" else "l4"
    model = small(gpu, replicas={"min": 1, "max": 4})
    return planned([model], gpuPools=[pool(way)], **PRICES).cost.total.typical


def test_the_expected_cost_follows_the_order_with_seven_of_ten_nodes_that_may_not_come() -> None:
    nodes = Decimal("1.9")  # 30 % of the way from 1 to 4
    others = usd("on-demand", **PRICES) - nodes * 730
    assert usd("spot", "on-demand", **PRICES) == others + nodes * 730 * Decimal("0.58")
    assert usd("on-demand", "spot", **PRICES) == usd("on-demand", **PRICES)


def test_a_budget_at_the_maximum_is_compared_with_the_dearest_way() -> None:
    plan = cost_of("spot", "on-demand", **PRICES)
    assert plan.cost.dearest is not None
    between = round((plan.cost.total.maximum + plan.cost.dearest.maximum) / 2)
    found = cost_of("spot", "on-demand", **PRICES, monthlyBudget=int(between))
    assert [warning.rule for warning in found.warnings] == ["budget-at-maximum"]
    assert f"{plan.cost.dearest.maximum:,.0f} USD" in found.warnings[0].sentence()


def test_what_is_reserved_is_paid_for_even_if_no_model_needs_it() -> None:
    asleep = small("l4", replicas={"min": 0, "max": 1})
    plan = planned([asleep], gpuPools=[pool(RESERVED, "spot")], **PRICES)
    cost = plan.cost.pools["l4"]
    assert cost.monthly is not None
    assert (cost.monthly.minimum, cost.monthly.maximum) == (2 * 730, 2 * 730)
    assert cost.gpus_idle.minimum == 2


def test_flex_start_without_a_price_of_the_stack_costs_at_most_what_on_demand_does() -> None:
    cost = cost_of(FLEX, "spot").cost.pools["l4"].capacity
    assert cost is not None
    flex, spot = cost.ways
    assert flex.price_is_a_bound
    assert not spot.price_is_a_bound
    on_demand = cost_of("on-demand", "spot").cost.pools["l4"].on_demand_usd_per_hour
    assert flex.usd_per_hour == on_demand


def test_models_that_want_more_than_the_pool_may_have_start_by_the_next_way() -> None:
    model = small("l4", replicas={"min": 0, "max": 9})
    plan = planned([model], gpuPools=[pool("on-demand", "spot")])
    (warning,) = (found for found in plan.warnings if found.rule == "pool-below-maximum")
    assert "up to 8 nodes start" in warning.sentence()
    assert plan.cost.pools["l4"].nodes.maximum == 8


# Models.


def test_a_model_that_names_no_pool_is_not_put_on_nodes_that_google_takes_back() -> None:
    pools = [pool("spot", "on-demand"), {"tier": "l4", "name": "sure"}]
    (model,) = planned([{"model": "qwen2.5-0.5b-instruct"}], gpuPools=pools).models
    assert model.pool == "sure"
    pools = [pool("on-demand", "spot"), {"tier": "l4-x2"}]
    (model,) = planned([{"model": "qwen2.5-0.5b-instruct"}], gpuPools=pools).models
    assert model.pool == "l4"


def test_a_lone_replica_stops_only_if_all_its_nodes_end_at_a_known_time() -> None:
    lone = small("l4", replicas={"min": 1, "max": 1})
    assert stops([lone], gpuPools=[pool(FLEX)]) == ["flex-start-single-replica"]
    assert warnings([lone], gpuPools=[pool(FLEX, "on-demand")]) == ["spot-single-replica"]
    two = small("l4", replicas={"min": 1, "max": 2})
    assert warnings([two], gpuPools=[pool(FLEX)]) == ["flex-start-single-replica"]
    for low in (0, 2):
        others = small("l4", replicas={"min": low, "max": 2})
        assert not warnings([others], gpuPools=[pool(FLEX)]), low


def test_a_reservation_elsewhere_does_not_tie_the_ray_head_to_its_zone() -> None:
    far = {**RESERVED, "zone": "us-central1-b"}
    plan = planned([small("l4")], gpuPools=[pool(far, "spot")])
    assert plan.cluster.zones == ("us-central1-a", "us-central1-c")
    assert plan.pools[0].ways[0].zones == ("us-central1-b",)
