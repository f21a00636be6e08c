"""Placement never costs more than the best of all combinations, whatever the models' order."""

import random
import time
from collections.abc import Sequence
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from planning.assignment import Item, NodeBin, assign, total_cost
from planning.node_counts import nodes_for, nodes_for_counts

BINS = st.builds(
    NodeBin,
    gpus_per_node=st.sampled_from([1, 2, 4, 8]),
    usd_per_hour=st.sampled_from([0.28, 0.73, 1.0006, 2.0011, 4.0022, 10.0592]),
    min_nodes=st.sampled_from([0, 0, 0, 1]),
    max_nodes=st.sampled_from([2, 5, 20]),
)


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
    start = time.perf_counter()
    assign(items, TIERS, 0.3)
    assert time.perf_counter() - start < 0.5


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
