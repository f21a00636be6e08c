"""What the Kubernetes API still knows of a period: nodes that are there, and an hour of events."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from diagnosis import Part, Period, Snapshot, Unseen
from diagnosis.node_hours import usage_by_kubernetes
from diagnosis.usage import Usage
from tests.diagnosis.snapshots import NOW, ago, event, node, small_plan, well
from tests.planning.small_stacks import planned, small

DAY = Period(start=NOW - timedelta(days=1), end=NOW)
HOUR = Period(start=NOW - timedelta(hours=1), end=NOW)


def aged(name: str, group: str = "l4", **spans: float) -> dict[str, Any]:
    found = node(name, group)
    found["metadata"]["creationTimestamp"] = ago(**spans)
    return found


def used(snapshot: Snapshot, *events: Any, period: Period = DAY) -> Usage:
    return usage_by_kubernetes(snapshot, events, small_plan(), period)


def test_nodes_count_from_their_creation_and_not_before_the_period() -> None:
    nodes = (aged("gke-llm-l4-1", days=9), aged("gke-llm-l4-2", hours=3))
    assert used(replace(well(), nodes=nodes)).node_hours["l4"] == pytest.approx(27)


def test_a_node_of_another_pool_is_nobodys() -> None:
    hours = used(replace(well(), nodes=(aged("gke-llm-x-1", "other", days=2),))).node_hours
    assert set(hours.values()) == {0.0}


def test_a_node_that_is_gone_counts_from_its_first_event_to_its_last() -> None:
    name = "gke-llm-prod-l4-8f3c2a1b-x7qk"
    events = (
        event("RegisteredNode", "it came", "Node", name, minutes=50),
        event("RemovingNode", "it went", "Node", name, minutes=20),
        event("NodeReady", "a node that is there", "Node", "gke-l4-1", minutes=40),
    )
    usage = used(replace(well(), nodes=(aged("gke-l4-1", minutes=45),)), *events, period=HOUR)
    assert usage.node_hours["l4"] == pytest.approx((30 + 45) / 60)
    assert any("1 node that is gone counted" in gap for gap in usage.gaps)


def test_nodes_of_several_ways_to_pay_are_one_pools_and_known_by_way() -> None:
    model = small(replicas={"min": 1, "max": 2})
    plan = planned([model], gpuPools=[{"tier": "l4", "capacity": ["spot", "on-demand"]}])
    nodes = (aged("gke-llm-l4-1", hours=3), aged("gke-llm-l4-spot-1", "l4-spot", hours=5))
    gone = event("NodeReady", "it came", "Node", "gke-llm-l4-spot-8f3c2a1b-x7qk", minutes=30)
    left = event("RemovingNode", "it went", "Node", "gke-llm-l4-spot-8f3c2a1b-x7qk", minutes=0)
    usage = usage_by_kubernetes(replace(well(), nodes=nodes), (gone, left), plan, DAY)
    assert usage.node_hours["l4"] == pytest.approx(8.5)
    assert "l4-spot" not in usage.node_hours
    assert usage.hours_of_ways["l4"] == pytest.approx({"l4": 3, "l4-spot": 5.5})


def test_a_gone_node_belongs_to_the_pool_with_the_longest_name_in_its_name() -> None:
    from diagnosis.node_hours import _pool_in

    assert _pool_in("gke-llm-prod-l4-x2-8f3c2a1b-x7qk", ["l4", "l4-x2", "t4"]) == "l4-x2"
    assert _pool_in("gke-llm-prod-l4-8f3c2a1b-x7qk", ["l4", "l4-x2", "t4"]) == "l4"
    assert _pool_in("somebody-elses", ["l4", "l4-x2", "t4"]) is None


def test_replicas_count_their_gpus_since_they_started() -> None:
    hours = used(well()).gpu_hours
    assert set(hours) == {"chat", "rare"}
    assert hours["chat"] > 0
    assert hours["rare"] == 0


def test_it_says_that_what_went_earlier_is_not_known() -> None:
    longer, shorter = used(well()), used(well(), period=HOUR)
    assert any("went before 2026-11-29 11:00 UTC are not known" in gap for gap in longer.gaps)
    assert shorter.gaps == ()


def test_nodes_without_the_right_to_list_them_are_not_known_rather_than_none() -> None:
    unseen = (Unseen(part=Part.NODES, why="you have no right to it"),)
    usage = used(replace(well(), nodes=(), unseen=unseen))
    assert usage.node_hours == {}
    assert "nodes: you have no right to it." in usage.gaps


def test_without_ray_serve_nothing_is_said_of_replicas() -> None:
    unseen = (Unseen(part=Part.SERVE, why="it does not answer in time"),)
    assert used(replace(well(), serve=None, unseen=unseen)).gpu_hours == {}


@pytest.mark.parametrize("strange", [{}, {"involvedObject": None}, {"involvedObject": {"kind": 3}}])
def test_strange_events_are_passed_over(strange: dict[str, Any]) -> None:
    assert used(well(), strange).node_hours == used(well()).node_hours
