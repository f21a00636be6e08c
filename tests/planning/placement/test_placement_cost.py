"""Placement never costs more than the best combination, in any order of the models."""

import random
import time
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from planning.infrastructure.bin_packing import nodes_for, nodes_for_counts
from planning.placement.assignment import Item, NodeBin, assign
from tests.planning.small_stacks import planned

BINS = st.builds(
    NodeBin,
    gpus_per_node=st.sampled_from([1, 2, 4, 8]),
    usd_per_hour=st.sampled_from([0.28, 0.73, 1.0006, 2.0011, 4.0022, 10.0592]),
    min_nodes=st.sampled_from([0, 0, 0, 1]),
    max_nodes=st.sampled_from([2, 5, 20]),
)


def total_cost(
    chosen: Sequence[int], items: Sequence[Item], bins: Sequence[NodeBin], load_factor: float
) -> tuple[int, Fraction, int, int]:
    """Nodes above maxima at minimum load, USD, nodes above maxima at maximum load, preferences."""
    typical = Fraction(str(load_factor))
    beyond_low, usd, beyond_high = 0, Fraction(0), 0
    for number, bin_ in enumerate(bins):
        low: list[int] = []
        high: list[int] = []
        for item, option in zip(items, chosen, strict=True):
            where, gpus = item.options[option]
            if where == number:
                low += [gpus] * item.min_replicas
                high += [gpus] * item.max_replicas
        nodes_low, nodes_high = (nodes_for(gpus, bin_.gpus_per_node) for gpus in (low, high))
        paid_low, paid_high = (max(nodes, bin_.min_nodes) for nodes in (nodes_low, nodes_high))
        usd += Fraction(str(bin_.usd_per_hour)) * ((1 - typical) * paid_low + typical * paid_high)
        beyond_low += max(0, nodes_low - bin_.max_nodes)
        beyond_high += max(0, nodes_high - bin_.max_nodes)
    return beyond_low, usd, beyond_high, sum(chosen)


@st.composite
def stacks(draw: st.DrawFn) -> tuple[list[Item], list[NodeBin]]:
    bins = draw(st.lists(BINS, min_size=1, max_size=4))
    items = []
    for index in range(draw(st.integers(1, 5))):
        low = draw(st.integers(0, 3))
        fitting = [
            (number, gpus)
            for number, bin_ in enumerate(bins)
            for gpus in [draw(st.sampled_from([1, 2, 3, 4]))]
            if gpus <= bin_.gpus_per_node and draw(st.booleans())
        ]
        items.append(
            Item(
                key=f"model-{index}",
                options=tuple(fitting) or ((0, 1),),
                min_replicas=low,
                max_replicas=low + draw(st.integers(0, 3)) or 1,
            )
        )
    return items, bins


@settings(max_examples=400, deadline=None)
@given(stack=stacks(), load_factor=st.sampled_from([0.0, 0.3, 1.0]))
def test_no_combination_costs_less(
    stack: tuple[list[Item], list[NodeBin]], load_factor: float
) -> None:
    items, bins = stack
    chosen = assign(items, bins, load_factor)
    every = product(*(range(len(item.options)) for item in items))
    cheapest = min(total_cost(options, items, bins, load_factor) for options in every)
    assert total_cost(chosen, items, bins, load_factor) == cheapest


@settings(max_examples=100, deadline=None)
@given(stack=stacks(), seed=st.integers(0, 1000))
def test_the_order_of_the_models_does_not_matter(
    stack: tuple[list[Item], list[NodeBin]], seed: int
) -> None:
    items, bins = stack
    by_key = dict(zip((item.key for item in items), assign(items, bins, 0.3), strict=True))
    shuffled = list(items)
    random.Random(seed).shuffle(shuffled)
    again = dict(zip((item.key for item in shuffled), assign(shuffled, bins, 0.3), strict=True))
    assert again == by_key


def _many(count: int, bins: Sequence[NodeBin]) -> list[Item]:
    draw = random.Random(7)
    return [
        Item(
            key=f"model-{index:04}",
            options=tuple((number, 1) for number in range(len(bins))),
            min_replicas=(low := draw.randrange(3)),
            max_replicas=low + draw.randrange(1, 4),
        )
        for index in range(count)
    ]


TIERS = [
    NodeBin(gpus_per_node=1, usd_per_hour=0.73, min_nodes=0, max_nodes=100),
    NodeBin(gpus_per_node=1, usd_per_hour=1.0006, min_nodes=0, max_nodes=1000),
    NodeBin(gpus_per_node=2, usd_per_hour=2.0011, min_nodes=0, max_nodes=1000),
    NodeBin(gpus_per_node=8, usd_per_hour=7.9, min_nodes=0, max_nodes=1000),
]


def test_many_models_are_placed_in_less_than_half_a_second() -> None:
    items = _many(1000, TIERS)
    start = time.process_time()
    assign(items, TIERS, 0.3)
    assert time.process_time() - start < 0.5


def test_many_models_cost_no_more_than_each_on_its_own_cheapest_pool() -> None:
    items = _many(300, TIERS)
    alone = [0] * len(items)
    assert total_cost(assign(items, TIERS, 0.3), items, TIERS, 0.3) <= total_cost(
        alone, items, TIERS, 0.3
    )


@given(
    counts=st.dictionaries(st.sampled_from([1, 2, 3, 4, 6, 8]), st.integers(0, 9)),
    gpus_per_node=st.sampled_from([8]),
)
def test_nodes_by_count_are_the_nodes_of_the_replicas(
    counts: dict[int, int], gpus_per_node: int
) -> None:
    replicas = [gpus for gpus, count in counts.items() for _ in range(count)]
    assert nodes_for_counts(counts, gpus_per_node) == nodes_for(replicas, gpus_per_node)


ONE: dict[str, Any] = {"min": 1, "max": 1}


def small(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "model": "qwen2.5-0.5b-instruct",
        "name": name,
        "contextLength": 4096,
        "replicas": ONE,
        **fields,
    }


def pools_of(models: list[dict[str, Any]], pools: list[Any], **keys: Any) -> dict[str, str]:
    plan = planned(models, gpuPools=pools, **keys)
    return {model.name: model.pool for model in plan.models}


def test_small_models_share_a_node_where_that_is_cheaper() -> None:
    dear_alone = {"l4": {"onDemand": 1.5}, "l4-x2": {"onDemand": 2.0}}
    both = pools_of([small("a"), small("b")], ["l4", "l4-x2"], prices=dear_alone)
    assert both == {"a": "l4-x2", "b": "l4-x2"}
    alone = pools_of([small("a")], ["l4", "l4-x2"], prices=dear_alone)
    assert alone == {"a": "l4"}


def test_a_gpu_that_is_paid_for_anyway_is_used() -> None:
    named = small("named", gpu="l4-x2")
    assert pools_of([named, small("free")], ["t4", "l4-x2"])["free"] == "l4-x2"


def test_a_pool_that_is_kept_up_anyway_is_used() -> None:
    kept = [{"tier": "t4"}, {"tier": "l4", "minNodes": 1}]
    assert pools_of([small("a")], kept) == {"a": "l4"}


def test_a_full_pool_sends_models_to_the_next() -> None:
    pools = [{"tier": "t4", "maxNodes": 1}, {"tier": "l4", "maxNodes": 5}]
    placed = pools_of([small("a"), small("b")], pools, versions={"ray": "2.49.1"})
    assert sorted(placed.values()) == ["l4", "t4"]


def test_a_model_that_names_its_pool_stays_there() -> None:
    dear_alone = {"l4": {"onDemand": 1.5}, "l4-x2": {"onDemand": 2.0}}
    models = [small("a", gpu="l4"), small("b", gpu="l4")]
    assert pools_of(models, ["l4", "l4-x2"], prices=dear_alone) == {"a": "l4", "b": "l4"}


def test_no_model_goes_to_spot_to_save() -> None:
    pools = ["l4", {"tier": "l4", "spot": True, "minNodes": 2}]
    assert pools_of([small("a")], pools) == {"a": "l4"}


def test_no_model_gets_a_shorter_context_to_save() -> None:
    tight = {"model": "qwen2.5-32b-instruct-awq", "name": "tight", "replicas": ONE}
    on_one_gpu = planned([tight], gpuPools=["l4"]).models[0]
    on_two = planned([tight], gpuPools=["l4-x2"]).models[0]
    assert on_one_gpu.max_model_len < on_two.max_model_len, "the model must be tight on one L4"
    paid_anyway = [{"tier": "l4", "minNodes": 2}, "l4-x2"]
    assert pools_of([tight], paid_anyway) == {"tight": "l4-x2"}


def test_three_models_move_together_where_two_would_not_save() -> None:
    alone = NodeBin(gpus_per_node=1, usd_per_hour=1.0, min_nodes=0, max_nodes=9)
    shared = NodeBin(gpus_per_node=4, usd_per_hour=2.8, min_nodes=0, max_nodes=9)
    items = [
        Item(key=f"m{index}", options=((1, 1), (0, 1)), min_replicas=1, max_replicas=1)
        for index in range(3)
    ]
    assert [
        item.options[option][0]
        for item, option in zip(items, assign(items, [alone, shared], 0.3), strict=True)
    ] == [1, 1, 1]


@settings(max_examples=40, deadline=None)
@given(
    replicas=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=4),
    named=st.lists(st.sampled_from([None, None, "l4-x2", "l4-x4"]), min_size=4, max_size=4),
    usd=st.lists(st.sampled_from([0.5, 1.0, 1.9, 2.1, 4.0]), min_size=4, max_size=4),
)
def test_no_other_choice_of_pools_makes_the_stack_cheaper(
    replicas: list[tuple[int, int]], named: list[str | None], usd: list[float]
) -> None:
    pools = ["t4", "l4", "l4-x2", "l4-x4"]
    keys: dict[str, Any] = {
        "prices": {pool: {"onDemand": price} for pool, price in zip(pools, usd, strict=True)},
        "versions": {"ray": "2.49.1"},  # which runs on all of them
    }
    models = [
        small(f"m{index}", replicas={"min": low, "max": max(1, low + more)})
        | ({"gpu": pool} if pool else {})
        for index, ((low, more), pool) in enumerate(zip(replicas, named, strict=False))
    ]
    wide = [{"tier": tier, "maxNodes": 50} for tier in pools]
    ours = planned(models, gpuPools=wide, **keys).cost.total.typical
    free = [model for model in models if "gpu" not in model]
    for choice in product(pools, repeat=len(free)):
        by_name = dict(zip((model["name"] for model in free), choice, strict=True))
        fixed = [{"gpu": by_name.get(model["name"]), **model} for model in models]
        assert ours <= planned(fixed, gpuPools=wide, **keys).cost.total.typical
