"""For random stacks with ways to pay: no placement costs more than that of a single way."""

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.problems import StackError
from planning import Plan
from planning.plan_costs import Levels
from tests.planning.stacks import Values, planned, stack

MODELS = ("qwen2.5-0.5b-instruct", "qwen2.5-1.5b-instruct", "qwen2.5-7b-instruct")
# Without T4, on which today's vLLM is not known to run, so that it is only chosen if need be.
TIERS = ("l4", "l4-x2", "a100-40gb", "a100-40gb-x2", "a100-80gb")
WAYS: tuple[Any, ...] = ("on-demand", "spot", {"flexStart": "7d"})
EXAMPLES = settings(
    max_examples=100,
    deadline=None,
    # The same stacks each time: a change is judged by what it does, not by what is drawn.
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much],
)


@st.composite
def stacks(draw: st.DrawFn) -> Values:
    """Pools of different tiers, most with several ways, and models without a pool of their own."""
    tiers = draw(st.lists(st.sampled_from(TIERS), min_size=2, max_size=3, unique=True))
    # Models avoid nodes that Google takes back, whatever they cost, if there are others.
    first = WAYS[1:] if draw(st.booleans()) else WAYS[:1]
    pools: list[Values] = []
    for tier in tiers:
        pool: Values = {"tier": tier, "maxNodes": draw(st.integers(3, 9))}
        ways = [draw(st.sampled_from(first)), *draw(st.permutations(WAYS))]
        pool["capacity"] = list({str(way): way for way in ways}.values())[: draw(st.integers(1, 3))]
        pools.append(pool)
    models = []
    for number in range(draw(st.integers(1, 4))):
        low = draw(st.integers(0, 2))
        models.append(
            {
                "model": draw(st.sampled_from(MODELS)),
                "name": f"m{number}",
                "replicas": {"min": low, "max": max(2, low) + draw(st.integers(0, 2))},
            }
        )
    prices = {
        tier: {
            "onDemand": draw(st.integers(10, 40)) / 10,
            "spot": draw(st.integers(2, 20)) / 10,
            "flexStart": draw(st.integers(5, 25)) / 10,
        }
        for tier in tiers
    }
    return stack(tuple(models), pools, prices=prices)


def plan_or_none(values: Values) -> Plan | None:
    try:
        return planned(values)
    except StackError:
        return None


def with_pools(values: Values, pools: list[Values]) -> Values:
    return {**values, "ray-llm:gpuPools": pools}


def single_ways(values: Values) -> list[Values]:
    """The same stack with each pool bought in one way only, the same place in each list."""
    pools = values["ray-llm:gpuPools"]
    longest = max(len(pool["capacity"]) for pool in pools)
    return [
        with_pools(
            values,
            [
                {
                    **pool,
                    "name": pool["tier"],
                    "capacity": [pool["capacity"][min(place, len(pool["capacity"]) - 1)]],
                }
                for pool in pools
            ],
        )
        for place in range(longest)
    ]


def named(values: Values) -> Values:
    pools = [{**pool, "name": pool["tier"]} for pool in values["ray-llm:gpuPools"]]
    return with_pools(values, pools)


def pinned_as(values: Values, other: Plan) -> Values:
    """The stack with each model on the pool that another plan gives it."""
    pools = {model.name: model.pool for model in other.models}
    models = [{**model, "gpu": pools[model["name"]]} for model in values["ray-llm:models"]]
    return {**values, "ray-llm:models": models}


def is_capped(plan: Plan) -> bool:
    """Whether a pool's maximum keeps replicas from starting."""
    return any(warning.rule == "pool-below-maximum" for warning in plan.warnings)


def ends(plan: Plan) -> tuple[Levels, Levels]:
    total = plan.cost.total
    return plan.cost.cheapest or total, plan.cost.dearest or total


@EXAMPLES
@given(stacks())
def test_the_expected_cost_lies_between_the_ends_at_every_load(values: Values) -> None:
    plan = plan_or_none(named(values))
    if plan is None:
        return
    low, high = ends(plan)
    cent = Decimal("0.01") * 730  # prices of a node are rounded to a hundredth of a cent
    for level in ("minimum", "typical", "maximum"):
        expected = getattr(plan.cost.total, level)
        assert getattr(low, level) <= expected + cent
        assert expected <= getattr(high, level) + cent


@EXAMPLES
@given(stacks())
def test_no_placement_of_a_single_way_would_cost_less_with_all_ways(values: Values) -> None:
    """Where models would go with one way alone is never better, at the expected prices."""
    values = named(values)
    plan = plan_or_none(values)
    if plan is None:
        return
    for single in single_ways(values):
        other = plan_or_none(single)
        there = None if other is None else plan_or_none(pinned_as(values, other))
        if there is None or is_capped(there) or is_capped(plan):
            continue  # fewer replicas cost less
        if other is not None and len({pool.is_interruptible for pool in other.pools}) > 1:
            continue  # models avoid nodes that Google takes back, whatever they cost
        longest = {model.name: model.max_model_len for model in plan.models}
        if any(longest[model.name] != model.max_model_len for model in there.models):
            continue  # cheaper with a shorter context, which is never chosen
        assert plan.cost.total.typical <= there.cost.total.typical + Decimal("0.01")


@EXAMPLES
@given(stacks())
def test_with_all_ways_the_month_may_be_as_cheap_as_the_best_single_way(values: Values) -> None:
    """On the same pools: what one way alone costs is inside the range of all of them."""
    values = named(values)
    plan = plan_or_none(values)
    if plan is None:
        return
    if is_capped(plan):
        return  # more replicas run with several ways, because GKE keeps the maximum of each
    low, high = ends(plan)
    for single in single_ways(pinned_as(values, plan)):
        other = plan_or_none(single)
        if other is not None:
            assert low.typical <= other.cost.total.typical + Decimal("0.01")
            assert other.cost.total.typical <= high.typical + Decimal("0.01")
