"""The cost of a stack: nodes times hours times price, shares, overrides, budget."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

import pytest

from models.catalog import prices
from models.problems import Severity, StackError
from models.reading import read_stack
from planning import idle_gpus, make_plan
from planning.budget.cost import HOURS_PER_MONTH, cpu_nodes
from planning.infrastructure.cluster import HEAD, router_group
from tests.planning.small_stacks import planned, rules, small, stops, two_gpus, values

L4_HOUR = prices().hourly("l4", "us-central1")
assert L4_HOUR is not None

Row = TypeVar("Row")


def first(rows: Mapping[str, Row]) -> Row:
    return next(iter(rows.values()))


def test_a_pool_costs_its_nodes_at_every_level() -> None:
    plan = planned([small(replicas={"min": 1, "max": 4})], gpuPools=["l4"], loadFactor=0.5)
    pool = first(plan.cost.pools)
    assert pool.monthly is not None
    assert pool.monthly.minimum == L4_HOUR * HOURS_PER_MONTH
    assert pool.monthly.typical == L4_HOUR * HOURS_PER_MONTH * Decimal("2.5")
    assert pool.monthly.maximum == L4_HOUR * HOURS_PER_MONTH * 4


def test_a_sleeping_stack_pays_for_its_cpu_node_and_the_cluster_only() -> None:
    plan = planned([small(replicas={"min": 0, "max": 1})], gpuPools=["l4"])
    e2 = prices().hourly("e2-standard-8", "us-central1")
    assert e2 is not None
    assert plan.cost.total.minimum == (e2 + Decimal("0.10")) * HOURS_PER_MONTH


def test_spot_pools_pay_the_spot_price_and_tell_the_other_one() -> None:
    plan = planned(
        [small("l4-spot", replicas={"min": 1, "max": 1})],
        gpuPools=[{"tier": "l4", "spot": True}],
    )
    pool = first(plan.cost.pools)
    spot = prices().hourly("l4", "us-central1", spot=True)
    assert spot is not None
    assert pool.monthly is not None
    assert pool.monthly_otherwise is not None
    assert pool.monthly.minimum == spot * HOURS_PER_MONTH
    assert pool.monthly_otherwise.minimum == L4_HOUR * HOURS_PER_MONTH


def test_totals_are_given_for_all_on_demand_and_all_on_spot() -> None:
    one = {"min": 1, "max": 1}
    mixed = planned(
        [small("l4", replicas=one), small("l4-spot", name="b", replicas=one)],
        gpuPools=["l4", {"tier": "l4", "spot": True}],
    ).cost
    spot = prices().hourly("l4", "us-central1", spot=True)
    on_demand_total, spot_total = mixed.total_if(spot=False), mixed.total_if(spot=True)
    assert spot is not None
    assert on_demand_total is not None
    assert spot_total is not None
    saved = (L4_HOUR - spot) * HOURS_PER_MONTH
    assert on_demand_total.minimum - mixed.total.minimum == saved
    assert mixed.total.minimum - spot_total.minimum == saved


def test_pool_minimum_is_paid_for_without_a_model() -> None:
    plan = planned([small("t4")], gpuPools=["t4", {"tier": "l4", "minNodes": 2}])
    l4 = plan.cost.pools["l4"]
    assert l4.monthly is not None
    assert l4.monthly.minimum == L4_HOUR * HOURS_PER_MONTH * 2
    assert l4.gpus_idle.minimum == 2
    assert "minNodes: 0" in idle_gpus(plan)[0].remedy


def test_the_pool_maximum_caps_what_the_models_can_cost() -> None:
    plan = planned(
        [small(replicas={"min": 1, "max": 8}), small(name="b", replicas={"min": 1, "max": 8})],
        gpuPools=[{"tier": "l4", "maxNodes": 4}],
    )
    pool, shares = first(plan.cost.pools), tuple(plan.cost.models.values())
    assert pool.monthly is not None
    assert pool.monthly.maximum == L4_HOUR * HOURS_PER_MONTH * 4
    assert sum(share.monthly.maximum for share in shares if share.monthly) == pool.monthly.maximum


def test_shares_and_idle_gpus_make_up_the_pool() -> None:
    plan = planned([small("l4-x2", replicas={"min": 1, "max": 2})], gpuPools=["l4-x2"])
    pool, share = first(plan.cost.pools), first(plan.cost.models).monthly
    assert pool.monthly is not None
    assert share is not None
    assert pool.gpus_idle.minimum == 1
    assert pool.gpus_idle.maximum == 0
    assert share.minimum == pool.monthly.minimum / 2
    assert share.maximum == pool.monthly.maximum


def test_a_model_elsewhere_is_named_for_an_idle_gpu_of_its_kind() -> None:
    plan = planned(
        [
            small("l4-x2", name="a", replicas={"min": 1, "max": 1}),
            small("l4", name="b", replicas={"min": 1, "max": 1}),
        ],
        gpuPools=["l4", "l4-x2"],
    )
    (idle,) = idle_gpus(plan)
    assert (idle.pool, idle.idle, idle.paid) == ("l4-x2", 1, 2)
    assert "b (now on l4)" in idle.remedy
    assert "gpu: l4-x2" in idle.remedy


def test_no_model_is_named_that_needs_more_gpus_than_are_idle_on_a_node() -> None:
    plan = planned(
        [
            small("l4-x2", name="a", replicas={"min": 1, "max": 1}),
            two_gpus("l4-x4", name="b", replicas={"min": 2, "max": 2}),
        ],
        gpuPools=["l4-x2", "l4-x4"],
    )
    (idle,) = idle_gpus(plan)
    assert "b (now" not in idle.remedy
    assert "takes 1 x NVIDIA L4" in idle.remedy


def test_a_stack_price_replaces_the_list_price_by_tier_or_machine() -> None:
    models = [small(replicas={"min": 1, "max": 1})]
    by_tier = planned(models, gpuPools=["l4"], prices={"l4": {"onDemand": 0.5}})
    both = {"l4": {"onDemand": 0.5}, "g2-standard-12": {"onDemand": 0.25}}
    by_machine = planned(models, gpuPools=["l4"], prices=both)
    assert by_tier.pools[0].node_usd_per_hour == Decimal("0.5")
    assert by_machine.pools[0].node_usd_per_hour == Decimal("0.25")
    assert by_machine.cost.overridden == ("l4", "g2-standard-12")


def test_a_stack_price_decides_the_cheapest_pool() -> None:
    models = ["qwen2.5-0.5b-instruct"]
    dear = {"t4": {"onDemand": 9.0}}
    keys = {"gpuPools": ["t4", "l4"], "versions": {"ray": "2.49.1"}}
    assert planned(models, **keys).models[0].pool == "t4"
    assert planned(models, prices=dear, **keys).models[0].pool == "l4"


def test_a_price_of_the_bare_n1_machine_does_not_price_its_gpus() -> None:
    plan = planned([small("t4")], gpuPools=["t4"], prices={"n1-standard-8": {"onDemand": 0.01}})
    assert plan.pools[0].node_usd_per_hour == prices().hourly("t4", "us-central1")


@pytest.mark.parametrize(
    ("key", "price", "words"),
    [
        ("l5", {"onDemand": 1.0}, "is not a GPU tier or machine type"),
        ("l4-spot", {"spot": 1.0}, "key spot of its tier"),
        ("l4", {"ondemand": 1.0}, "Did you mean onDemand?"),
        ("l4", {"onDemand": "1"}, "is not a number"),
        ("l4", {"onDemand": 0}, "is not above 0"),
        ("l4", {"onDemand": -1.5}, "is not above 0"),
        ("l4", {"onDemand": float("nan")}, "l4.onDemand"),
        ("l4", 0.5, "is not a mapping"),
    ],
)
def test_a_price_that_cannot_be_meant_stops(key: str, price: object, words: str) -> None:
    problems = stops([small()], gpuPools=["l4"], prices={key: price})
    assert len(problems) == 1
    assert words in problems[0].sentence()
    assert problems[0].path.startswith(f"ray-llm:prices.{key}")


def test_a_region_without_prices_costs_an_unknown_amount_and_not_zero() -> None:
    zone = {"name": "llm", "zones": ["africa-south9-a"]}
    pools = [{"tier": "l4", "zones": ["africa-south9-a"]}]
    plan = planned([small()], region="africa-south9", cluster=zone, gpuPools=pools)
    assert first(plan.cost.pools).monthly is None
    assert first(plan.cost.models).monthly is None
    assert plan.cost.unpriced == ("l4", "app-pool")
    assert plan.cost.total_if(spot=True) is None


def test_an_adopted_cluster_costs_its_gpu_pools_only() -> None:
    cluster = {"name": "llm", "zones": ["us-central1-a"], "existing": True}
    plan = planned([small(replicas={"min": 1, "max": 1})], cluster=cluster, gpuPools=["l4"])
    assert plan.cost.total.minimum == L4_HOUR * HOURS_PER_MONTH


@pytest.mark.parametrize("budget", [100, 100.5, "100", " 100.50 "])
def test_a_budget_below_the_minimum_stops(budget: object) -> None:
    problems = stops([small()], gpuPools=["l4"], monthlyBudget=budget)
    assert rules(problems) == {"budget-exceeded"}
    assert "for l4" in problems[0].sentence()


def test_what_costs_most_is_a_part_of_what_the_stack_costs() -> None:
    nights = {"sleep": "0 20 * * *", "wake": "0 8 * * *", "timeZone": "UTC"}
    [problem] = stops([small()], gpuPools=["l4"], offHours=nights, monthlyBudget=100)
    whole, part = re.findall(r"(\d+) USD|it, (\d+)", problem.reason)
    assert int(part[1]) < int(whole[0])
    [problem] = stops([small(replicas={"min": 0, "max": 1})], gpuPools=["l4"], monthlyBudget=100)
    assert "for the CPU pool" in problem.reason
    assert "cheaper pools" not in problem.sentence()


def test_a_budget_between_minimum_and_maximum_warns() -> None:
    plan = planned([small(replicas={"min": 1, "max": 4})], gpuPools=["l4"], monthlyBudget="1500")
    assert rules(plan.warnings) == {"budget-at-maximum"}
    assert all(warning.severity is Severity.WARN for warning in plan.warnings)


def test_a_sufficient_budget_says_nothing() -> None:
    assert not planned([small()], gpuPools=["l4"], monthlyBudget=5000).warnings


def test_a_budget_that_misses_a_price_says_so() -> None:
    zone = {"name": "llm", "zones": ["africa-south9-a"]}
    pools = [{"tier": "l4", "zones": ["africa-south9-a"]}]
    plan = planned(
        [small()], region="africa-south9", cluster=zone, gpuPools=pools, monthlyBudget=5000
    )
    assert "budget-unknown-price" in rules(plan.warnings)


@pytest.mark.parametrize("budget", ["5k", "", 0, -3, True, [5000], {"usd": 5}, "nan", None])
def test_a_budget_that_is_no_amount_stops(budget: object) -> None:
    stated = {**values([small()], gpuPools=["l4"]), "ray-llm:monthlyBudget": budget}
    with pytest.raises(StackError, match="monthlyBudget") as caught:
        make_plan(read_stack("test", stated))
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("factor", [1.1, -0.1, "much", True])
def test_a_load_factor_outside_0_to_1_stops(factor: object) -> None:
    (problem,) = stops([small()], gpuPools=["l4"], loadFactor=factor)
    assert problem.path == "ray-llm:loadFactor"


@pytest.mark.parametrize(
    ("machine", "clusters", "spare_heads", "nodes"),
    [
        ("e2-standard-8", 1, 0, 1),
        ("e2-standard-8", 2, 0, 2),
        ("e2-standard-8", 1, 1, 2),
        ("e2-standard-16", 1, 1, 1),
        ("e2-standard-16", 2, 0, 1),
    ],
)
def test_cpu_nodes_hold_two_clusters_or_a_second_head(
    machine: str, clusters: int, spare_heads: int, nodes: int
) -> None:
    counted = cpu_nodes(
        machine, HEAD, router_group(()), 3, clusters=clusters, spare_heads=spare_heads
    )
    assert counted == nodes


@pytest.mark.parametrize(
    ("routers", "nodes"),
    [(0, 1), (3, 1), (4, 2), (9, 2), (10, 3)],
)
def test_cpu_nodes_hold_the_head_and_two_pods_of_three_routers_each(
    routers: int, nodes: int
) -> None:
    assert cpu_nodes("e2-standard-8", HEAD, router_group(()), routers) == nodes
