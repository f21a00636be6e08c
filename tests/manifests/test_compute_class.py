"""The ComputeClass of a pool, and the pods that choose it."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from localcloud.providers.kubernetes import crds, structural
from manifests import service_manifests
from manifests.compute_class import compute_classes
from manifests.worker_group import gpu_worker_group
from planning import Plan
from tests.planning.small_stacks import planned, small

SPOT_FIRST = ("spot", "on-demand", {"flexStart": "7d"})


def plan_of(*ways: Any) -> Plan:
    pool: dict[str, Any] = {"tier": "l4", "maxNodes": 4}
    if ways:
        pool["capacity"] = list(ways)
    replicas = {"min": 1, "max": 2}
    return planned([small("l4", replicas=replicas)], gpuPools=[pool, {"tier": "t4"}])


def test_a_stack_without_capacity_has_no_compute_class() -> None:
    for plan in (plan_of(), plan_of("on-demand"), plan_of({"flexStart": "7d"})):
        assert service_manifests(plan).compute_classes == ()
        spec = gpu_worker_group(plan, plan.pools[0])["template"]["spec"]
        assert spec["nodeSelector"] == {"cloud.google.com/gke-nodepool": "l4"}


def test_the_class_asks_the_pools_own_node_pools_in_the_order_of_the_stack_file() -> None:
    (found,) = service_manifests(plan_of(*SPOT_FIRST)).compute_classes
    assert found["metadata"]["name"] == "l4"
    assert "namespace" not in found["metadata"]
    assert found["spec"] == {
        "priorities": [
            {"nodepools": ["l4-spot"]},
            {"nodepools": ["l4"]},
            {"nodepools": ["l4-flex-start"]},
        ],
        "whenUnsatisfiable": "DoNotScaleUp",
    }


def test_the_definition_written_from_gkes_documentation_takes_the_class() -> None:
    """It does not prove that GKE takes it: Google publishes no file of the definition."""
    version = crds.compute_class_crd()["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    (found,) = compute_classes(plan_of(*SPOT_FIRST))
    del found["metadata"]  # which the API server checks by itself
    assert list(structural.problems(found, schema)) == []
    found["spec"]["priorities"][0]["nodePools"] = found["spec"]["priorities"][0].pop("nodepools")
    assert list(structural.problems(found, schema))


@pytest.mark.parametrize("ways", list(permutations(SPOT_FIRST)))
def test_pods_choose_the_class_and_follow_no_edit_of_its_list(ways: tuple[Any, ...]) -> None:
    plan, shorter = plan_of(*ways), plan_of(*ways[:2])
    group = gpu_worker_group(plan, plan.pools[0])
    spec = group["template"]["spec"]
    assert spec["nodeSelector"] == {"cloud.google.com/compute-class": "l4"}
    assert {
        "key": "cloud.google.com/compute-class",
        "operator": "Equal",
        "value": "l4",
        "effect": "NoSchedule",
    } in spec["tolerations"]
    assert gpu_worker_group(shorter, shorter.pools[0]) == group


def test_a_pool_without_capacity_beside_one_with_it_is_written_as_before() -> None:
    one, other = plan_of(*SPOT_FIRST), plan_of()
    assert gpu_worker_group(one, one.pools[1]) == gpu_worker_group(other, other.pools[1])
    assert gpu_worker_group(replace(other, warnings=()), other.pools[0]) != gpu_worker_group(
        one, one.pools[0]
    )
