"""Ways to pay on the real engine: node pools and their ComputeClass, and what edits of the list do.

The stand-in for GKE refuses combinations that Google refuses, and the definition of ComputeClass is
written from Google's documentation. Neither proves that GKE takes them, or that a node ever comes.
"""

from typing import Any

import pytest

from tests.engine.deployments import Change, Deployment
from tests.engine.test_hardening import assert_quiet, of_type

pytestmark = pytest.mark.engine

NODE_POOL = "gcp:container/nodePool:NodePool"
CLASS = "kubernetes:cloud.google.com/v1:ComputeClass"
RAY_SERVICE = "kubernetes:ray.io/v1:RayService"
RESERVED = {
    "reservation": "team-l4",
    "zone": "us-central1-b",
    "machineType": "g2-standard-12",
    "nodes": 1,
}


def config(*ways: Any) -> dict[str, Any]:
    pool: dict[str, Any] = {"tier": "l4", "maxNodes": 4}
    if ways:
        pool["capacity"] = list(ways)
    return {
        "gcp:project": "acme-ml",
        "gcp:region": "us-central1",
        "ray-llm:cluster": {
            "name": "llm-capacity",
            "zones": ["us-central1-a", "us-central1-c"],
            "deletionProtection": False,
        },
        "ray-llm:gpuPools": [pool],
        "ray-llm:models": [{"model": "qwen2.5-0.5b-instruct", "gpu": "l4"}],
    }


def of_node_pools(changes: set[Change]) -> set[tuple[str, str]]:
    return {
        (change.operation, change.name.removeprefix("gpu-pools-"))
        for change in changes
        if change.type == NODE_POOL
    }


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    ways = (RESERVED, "on-demand", {"flexStart": "7d"}, "spot")
    deployment = Deployment(tmp_path_factory.mktemp("capacity"), "dev", config(*ways))
    assert deployment.preview().returncode == 0
    deployment.must_up()
    return deployment


def test_every_way_comes_up_and_a_second_up_changes_nothing(deployed: Deployment) -> None:
    [class_] = of_type(deployed, CLASS)
    made = {pool["name"] for pool in of_type(deployed, NODE_POOL)}
    named = [name for rule in class_["spec"]["priorities"] for name in rule["nodepools"]]
    assert named == ["l4-res-team-l4", "l4", "l4-flex-start", "l4-spot"]
    assert set(named) <= made
    assert_quiet(deployed)


def test_another_order_and_one_way_less_touch_neither_nodes_nor_models(
    deployed: Deployment,
) -> None:
    deployed.write(config("spot", {"flexStart": "7d"}, "on-demand"))
    changes = deployed.changes()
    assert of_node_pools(changes) == {("delete", "l4-res-team-l4")}
    assert [change.operation for change in changes if change.type == CLASS] == ["update"]
    assert not [change for change in changes if change.type == RAY_SERVICE]
    deployed.must_up()
    assert_quiet(deployed)


def test_a_pool_that_runs_keeps_its_nodes_when_it_gets_further_ways(tmp_path: Any) -> None:
    deployment = Deployment(tmp_path, "dev", config())
    deployment.must_up()
    deployment.write(config("on-demand", "spot"))
    changes = deployment.changes()
    assert of_node_pools(changes) == {("update", "l4"), ("create", "l4-spot")}
    text = " ".join((done := deployment.preview()).stdout.split())
    assert done.returncode == 0
    # Its pods choose the class instead of the node pool.
    assert "second Ray cluster" in text
    deployment.must_up()
    assert_quiet(deployment)
