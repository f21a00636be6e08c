"""Where models run: pools, spot, tensor parallelism and the nodes that they need."""

import itertools

import pytest

from planning.infrastructure.node_pools import nodes_for
from tests.planning.stacks import MODEL, planned, sentences, stack, warnings


def pool_of(model: str, pools: list[object], ray: str = "2.49.1") -> str:
    values = stack([model], pools, token=True, versions={"ray": ray})
    return planned(values).models[0].pool


def test_a_model_goes_to_the_cheapest_pool_on_which_it_fits() -> None:
    everything = ["a100-80gb-x2", "l4-x2", "l4", "t4"]
    assert pool_of(MODEL, everything) == "t4"
    assert pool_of("gemma-2-2b-it", everything) == "l4"  # float16 is refused for it on a T4
    assert pool_of("qwen2.5-14b-instruct", everything) == "l4-x2"
    assert pool_of("llama-3.3-70b-instruct", everything) == "a100-80gb-x2"


def test_a_gpu_on_which_the_engine_is_not_known_to_run_is_the_last_choice() -> None:
    assert pool_of(MODEL, ["t4", "l4", "l4-x2"], ray="2.60.0") == "l4"
    assert pool_of(MODEL, ["t4"], ray="2.60.0") == "t4"
    pools = [{"tier": "t4", "minNodes": 2, "maxNodes": 4}, "l4"]  # GPUs that are paid for
    assert pool_of(MODEL, pools, ray="2.60.0") == "l4"
    assert pool_of(MODEL, pools) == "t4"


def test_spot_is_never_chosen_for_a_model_that_does_not_name_it() -> None:
    assert pool_of(MODEL, [{"tier": "t4", "spot": True}, "a100-80gb"]) == "a100-80gb"


def test_spot_is_chosen_with_a_warning_if_the_stack_lists_nothing_else() -> None:
    values = stack([MODEL], [{"tier": "l4", "spot": True}], versions={"ray": "2.49.1"})
    plan = planned(values)
    assert plan.models[0].pool == "l4-spot"
    (warning,) = [warning for warning in plan.warnings if warning.rule == "spot-only"]
    assert warning.acceptable
    assert "or add `- t4` to ray-llm:gpuPools" in warning.sentence()


def test_a_broken_on_demand_pool_leads_no_model_to_spot() -> None:
    pools = [{"tier": "l4", "spot": True}, {"tier": "l4", "maxNodes": "5"}]
    (reported,) = sentences(stack([MODEL], pools))
    assert reported.startswith("ray-llm:gpuPools[1].maxNodes: ")


def test_a_named_spot_pool_is_used() -> None:
    values = stack([{"model": MODEL, "gpu": "l4-spot"}], [{"tier": "l4", "spot": True}])
    pool = planned(values).pools[0]
    assert (pool.id, pool.spot) == ("l4-spot", True)


@pytest.mark.parametrize(
    ("model", "tier", "degree"),
    [
        (MODEL, "l4-x4", 1),
        ("qwen2.5-14b-instruct", "l4-x4", 2),
        ("qwen2.5-32b-instruct", "l4-x8", 4),
        ("llama-3.3-70b-instruct", "a100-80gb-x4", 2),
    ],
)
def test_the_smallest_degree_that_fits_is_taken(model: str, tier: str, degree: int) -> None:
    values = stack([{"model": model, "gpu": tier}], [tier], token=True)
    assert planned(values).models[0].tensor_parallel_size == degree


def test_a_model_that_fits_nowhere_is_shown_the_way_to_a_tier() -> None:
    (reported,) = sentences(stack(["qwen2.5-72b-instruct"], ["t4", "l4"]))
    assert "l4 (the largest listed)" in reported
    tier = reported.split("Add `- ")[1].split("`")[0]
    assert pool_of("qwen2.5-72b-instruct", [tier]) == tier


def test_two_small_models_share_a_node_of_two_gpus() -> None:
    entries = [
        {"model": MODEL, "name": name, "gpu": "l4-x2", "replicas": {"min": 1, "max": 1}}
        for name in ("a", "b")
    ]
    pool = planned(stack(entries, ["l4-x2"])).pools[0]
    assert (pool.nodes_at_min, pool.nodes_at_max) == (1, 1)


def fewest_nodes(gpus: tuple[int, ...], size: int) -> int:
    """The number of nodes, found by trying every assignment of replicas."""
    for nodes in range(len(gpus) + 1):
        for assignment in itertools.product(range(nodes), repeat=len(gpus)):
            load = [0] * nodes
            for node, needed in zip(assignment, gpus, strict=True):
                load[node] += needed
            if all(used <= size for used in load):
                return nodes
    raise AssertionError


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_nodes_are_as_few_as_exhaustive_search_finds(size: int) -> None:
    for count in range(5):
        for gpus in itertools.combinations_with_replacement(range(1, size + 1), count):
            assert nodes_for(gpus, size) == fewest_nodes(gpus, size)


def test_a_maximum_below_full_load_is_a_warning() -> None:
    entry = {"model": MODEL, "replicas": {"min": 1, "max": 9}}
    (reported,) = [w for w in warnings(stack([entry], ["l4"])) if "maxNodes" in w]
    assert "is below the 9 nodes of l4" in reported
    assert "Use 9 (+877 USD a month), or accept the cap. [pool-below-maximum]" in reported
