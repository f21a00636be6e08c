"""Labels that tell a stack's cost apart: on pools, nodes and namespace, and on pods if asked."""

from typing import Any

import pytest

from models.catalog import kuberay_releases
from planning import Plan
from rollouts import Kind, predict
from tests.manifests.written import ray_service
from tests.planning.small_stacks import planned, rules, small, stops

MODELS = [small()]


def labelled(**setting: Any) -> Plan:
    return planned(MODELS, costAllocation=setting)


def test_a_stack_without_the_setting_has_no_labels() -> None:
    plan = planned(MODELS)
    assert not plan.cluster.allocates_cost
    assert [plan.cost_labels, plan.cluster.cpu_pool.cost_labels] == [{}, {}]
    assert {tuple(pool.cost_labels) for pool in plan.pools} == {()}


def test_a_pool_says_its_stack_its_name_and_what_the_stack_file_says() -> None:
    plan = labelled(labels={"team": "search"})
    assert plan.cluster.allocates_cost
    pool = plan.pool("l4")
    assert pool.cost_labels == {"ray-llm-stack": "test", "team": "search", "ray-llm-pool": "l4"}
    assert plan.cluster.cpu_pool.cost_labels["ray-llm-pool"] == "app-pool"


def test_labels_of_pods_alone_make_kuberay_start_a_second_cluster() -> None:
    before = ray_service(planned(MODELS))
    without, with_pods = (
        ray_service(labelled(labels={"team": "search"}, pods=pods)) for pods in (False, True)
    )
    assert without == before
    for kuberay in kuberay_releases():
        rollout = predict(before, with_pods, kuberay)
        assert rollout.kind is Kind.SECOND_CLUSTER
    groups = [
        with_pods["spec"]["rayClusterConfig"]["headGroupSpec"],
        *with_pods["spec"]["rayClusterConfig"]["workerGroupSpecs"],
    ]
    assert {group["template"]["metadata"]["labels"]["team"] for group in groups} == {"search"}


@pytest.mark.parametrize(
    "labels",
    [
        {"Team": "search"},
        {"team": "Search and Ads"},
        {"goog-team": "search"},
        {"ray-llm-pool": "other"},
        {"team": ""},
        {"a" * 64: "x"},
        {"team": 4711},
        {f"l{number}": "x" for number in range(33)},
    ],
)
def test_what_is_no_label_of_both_google_and_kubernetes_is_refused(labels: Any) -> None:
    found = stops(MODELS, costAllocation={"labels": labels})
    assert rules(found) <= {"invalid-value", "wrong-type"}
    assert all("costAllocation.labels" in problem.path for problem in found)
