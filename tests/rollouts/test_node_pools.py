"""What people read of an edit of node pools."""

from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from models.capacity import Buying
from models.catalog import NODE_BY_NODE_POOL_FIELDS, REPLACING_POOL_FIELDS
from models.problems import stops
from planning import WayPlan
from reports.pool_fields import cpu_pool_fields, gpu_pool_fields, gpu_pools_fields
from reports.rollout import POOL_FIELDS, Rollout
from rollouts import Sentence, pool_problems, pool_sentences
from tests.manifests.plans import plan, pool

L4 = gpu_pool_fields(pool("l4"))


def said(new: dict[str, Any], *, ray_head: bool = False) -> Sentence:
    [sentence] = pool_sentences({"l4": L4}, {"l4": {**L4, **new}}, ray_head=ray_head)
    return sentence


def test_nothing_is_said_of_pools_that_stay() -> None:
    assert pool_sentences({"l4": L4}, {"l4": dict(L4)}, ray_head=False) == ()


@pytest.mark.parametrize("key", sorted(set(chain(*REPLACING_POOL_FIELDS.values())) & set(L4)))
def test_a_replaced_pool_is_a_warning(key: str) -> None:
    sentence = said({key: "another"})
    assert sentence.warns
    assert sentence.text == (
        f"Node pool l4 is deleted and created again, because {key} changes: its models stop "
        "answering until new nodes are there and the weights have loaded, even if a second Ray "
        "cluster starts for it. Append a second pool under another name, move its models there, "
        "and remove the first one afterwards."
    )


@pytest.mark.parametrize("key", sorted(chain(*NODE_BY_NODE_POOL_FIELDS.values())))
def test_replaced_nodes_are_a_warning(key: str) -> None:
    sentence = said({key: "another"})
    assert sentence.warns
    assert sentence.text.startswith(
        f"GKE replaces the nodes of pool l4 one after the other, because {key} changes."
    )
    assert "the Ray head goes, every model stops" in said({key: "x"}, ray_head=True).text


def test_sizes_and_more_zones_change_in_place() -> None:
    assert said({"maxNodes": 9, "zones": [*L4["zones"], "us-central1-z"]}) == Sentence(
        "Node pool l4 changes in place (zones and maxNodes): no node is replaced.", warns=False
    )


def test_the_nodes_of_a_zone_that_a_pool_leaves_are_deleted() -> None:
    here, there = L4["zones"][0], "us-central1-z"
    [sentence] = pool_sentences(
        {"l4": {**L4, "zones": [here, there]}}, {"l4": {**L4, "zones": [there]}}, ray_head=False
    )
    assert sentence.warns
    assert f"Node pool l4 leaves {here}" in sentence.text
    assert "does not answer until it has loaded on another one" in sentence.text


def test_a_pool_that_leaves_all_of_its_zones_stops_its_models() -> None:
    text = said({"zones": ["us-central1-z"]}).text
    assert "None of its nodes stays: its models stop answering until new nodes are there" in text


def test_nodes_that_are_replaced_do_not_hide_a_zone_that_is_left() -> None:
    new = {**L4, "zones": ["us-central1-z"], "bootDiskGb": 500}
    replaced, left = pool_sentences({"l4": L4}, {"l4": new}, ray_head=False)
    assert "one after the other, because bootDiskGb changes" in replaced.text
    assert "leaves" in left.text


def test_nodes_that_are_kept_anyway_are_counted() -> None:
    assert said({"minNodes": 2.0}).text == (
        "Node pool l4 changes in place: it keeps 2 of its nodes even if no model needs them, "
        "instead of 0."
    )


def test_zones_of_another_form_in_the_state_end_nothing() -> None:
    [sentence] = pool_sentences({"l4": {**L4, "zones": [1]}}, {"l4": L4}, ray_head=False)
    assert "leaves 1" in sentence.text


def test_the_most_that_happens_to_a_pool_is_said() -> None:
    assert (
        "deleted and created again, because spot changes"
        in said({"spot": True, "machineType": "g2-standard-16", "maxNodes": 9}).text
    )


def test_pools_that_come_and_go_are_named() -> None:
    new = {"t4": L4, "kept": {**L4, "minNodes": 2}}
    assert pool_sentences({"l4": L4}, new, ray_head=False) == (
        Sentence("Node pool l4 is deleted, and its nodes with it.", warns=True),
        Sentence("Node pool t4 is added and has no node until one is due.", warns=False),
        Sentence("Node pool kept is added and keeps 2 of its nodes.", warns=False),
    )


def test_a_key_of_another_version_is_no_change() -> None:
    old = {key: value for key, value in L4.items() if key != "bootDiskType"}
    assert pool_sentences({"l4": {**old, "former": 1}}, {"l4": L4}, ray_head=False) == ()


def test_a_state_of_another_form_is_said_to_be_unknown() -> None:
    broken: Any = {"l4": ["spot"]}
    [sentence] = pool_sentences(broken, {"l4": L4}, ray_head=False)
    assert sentence.warns
    assert "is not known" in sentence.text


def test_the_difference_of_two_plans_says_the_same_of_each_field() -> None:
    """Both read the catalogue's two tables."""
    words = {"is deleted and created again": "deleted and created", "one after the other": "one"}
    for key in set(POOL_FIELDS) & set(L4):
        text = said({key: "another"}).text
        in_diff = str(POOL_FIELDS[key])
        assert any(here in text and there in in_diff for here, there in words.items()) or (
            POOL_FIELDS[key] is Rollout.AT_ONCE and "in place" in text
        )


def test_every_key_of_the_tables_that_a_stack_can_change_is_recorded() -> None:
    keys = set(chain(*REPLACING_POOL_FIELDS.values(), *NODE_BY_NODE_POOL_FIELDS.values()))
    flex = replace(pool("l4"), ways=(way("l4", Buying.FLEX_START, run_seconds=604800),))
    assert keys <= set(gpu_pools_fields([flex])["l4"])
    # A stack without `capacity` has the record that it had.
    assert keys - set(L4) == {"flexStart", "reservation"}
    cpu = cpu_pool_fields(plan().cluster.cpu_pool, ["us-central1-a"])
    assert set(chain(*NODE_BY_NODE_POOL_FIELDS.values())) <= set(cpu)


def way(name: str, buying: Buying, **changes: Any) -> WayPlan:
    values: dict[str, Any] = {
        "path": "ray-llm:gpuPools[0].capacity[0]",
        "node_pool": name,
        "buying": buying,
        "zones": ("us-central1-a",),
        "min_nodes": 0,
        "max_nodes": 4,
    }
    return WayPlan(**{**values, **changes})


def test_another_kind_of_node_replaces_its_pool_and_another_order_replaces_none() -> None:
    l4 = pool("l4")
    on_demand, spot = way("l4", Buying.ON_DEMAND), way("l4-spot", Buying.SPOT)

    def sentences(old: tuple[WayPlan, ...], new: tuple[WayPlan, ...]) -> list[str]:
        before, after = (
            gpu_pools_fields([replace(l4, ways=ways, zones=("us-central1-a",), max_nodes=4)])
            for ways in (old, new)
        )
        return [item.text for item in pool_sentences(before, after, ray_head=False)]

    (added,) = sentences((), (on_demand, spot))
    assert added.startswith("Node pool l4-spot is added")
    for text in sentences((on_demand, spot), (spot, on_demand)):
        assert text.endswith("changes in place (preference): no node is replaced.")
    flex = way("l4", Buying.FLEX_START, run_seconds=604800)
    for old, new in (((), (flex,)), ((flex,), ())):
        (replaced,) = sentences(old, new)
        assert replaced.startswith("Node pool l4 is deleted and created again, because flexStart")


SPOT = {"spot": True, "maxNodes": 2}
ON_DEMAND = {"spot": False, "maxNodes": 2}


def test_a_pool_of_a_protected_stack_is_not_replaced_unless_this_change_is_allowed() -> None:
    old, new = {"l4": ON_DEMAND}, {"l4": SPOT}
    [problem] = pool_problems(old, new, (), ray_head=False)
    assert (problem.path, problem.value, problem.rule) == (
        "ray-llm:gpuPools",
        "l4",
        "pool-replaced",
    )
    assert "because spot changes" in problem.sentence()
    id_ = problem.sentence().partition("{allow: ")[2].partition("}")[0]
    [allowed] = pool_problems(old, new, [id_], ray_head=False)
    assert not stops([allowed])
    assert stops(pool_problems(new, old, [id_], ray_head=False))


def test_pools_that_come_go_or_grow_stop_nothing() -> None:
    old = {"l4": ON_DEMAND}
    changes: list[dict[str, Any]] = [{}, {"t4": SPOT}, {"l4": {**ON_DEMAND, "maxNodes": 5}}]
    for new in changes:
        assert pool_problems(old, new, (), ray_head=False) == ()
    other: Any = {"l4": 5}
    assert pool_problems(other, {"l4": SPOT}, (), ray_head=False) == ()


def test_the_pool_of_the_ray_head_has_its_own_place_in_the_file() -> None:
    [problem] = pool_problems({"app": ON_DEMAND}, {"app": SPOT}, (), ray_head=True)
    assert problem.path == "ray-llm:cluster.cpuPool"
    assert "every model stops answering" in problem.sentence()


def test_private_nodes_do_not_lose_their_way_to_the_internet_unsaid() -> None:
    private, unsaid, public = ({**ON_DEMAND, "privateNodes": value} for value in (True, "", False))
    [problem] = pool_problems({"app": private}, {"app": unsaid}, (), ray_head=True)
    assert problem.path == "ray-llm:cluster.privateNodes"
    assert "Write privateNodes: false" in problem.sentence()
    [said] = pool_sentences({"app": private}, {"app": unsaid}, ray_head=True)
    assert "Write privateNodes: false" in said.text
    assert said.warns
    assert "Cloud NAT" in said.text
    for old, new in ((private, public), (unsaid, unsaid), (unsaid, private)):
        assert pool_problems({"app": old}, {"app": new}, (), ray_head=True) == ()
    # The CPU pool's record says it for all.
    assert pool_problems({"l4": private}, {"l4": unsaid}, (), ray_head=False) == ()
    assert pool_sentences({"l4": private}, {"l4": unsaid}, ray_head=False) == ()
