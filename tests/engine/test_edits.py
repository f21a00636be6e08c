"""What an edit of the stack file changes, on the real engine."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.deployments import Deployment, shipped_config

pytestmark = pytest.mark.engine

NODE_POOL = "gcp:container/nodePool:NodePool"
RAY_SERVICE = "kubernetes:ray.io/v1:RayService"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
JOB = "kubernetes:batch/v1:Job"
RECORD = "pulumi:index:Stash"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    config = shipped_config("staging")
    deployment = Deployment(tmp_path_factory.mktemp("edits"), "staging", config)
    deployment.must_up()
    return deployment


@pytest.fixture
def stack(deployed: Deployment) -> Iterator[dict[str, Any]]:
    """The deployed stack's config, for edits; the file is restored afterwards."""
    config = shipped_config("staging")
    yield copy.deepcopy(config)
    deployed.write(config)


def _edited(deployed: Deployment, config: dict[str, Any]) -> dict[tuple[str, str], str]:
    deployed.write(config)
    return {
        (change.type, change.name): change.operation
        for change in deployed.changes()
        if change.type != "pulumi:pulumi:Stack"
    }


def _of_type(changes: dict[tuple[str, str], str], type_: str) -> dict[str, str]:
    return {name: operation for (kind, name), operation in changes.items() if kind == type_}


def test_editing_a_model_changes_the_service_and_its_config_map_and_no_pool(
    deployed: Deployment, stack: dict[str, Any]
) -> None:
    stack["ray-llm:models"][1] = {"model": "qwen2.5-7b-instruct", "contextLength": 4096}
    changes = _edited(deployed, stack)
    assert _of_type(changes, RAY_SERVICE) == {"llm-ray-service": "update"}
    assert _of_type(changes, CONFIG_MAP) == {"llm-llm-configs-qwen2.5": "update"}
    assert _of_type(changes, NODE_POOL) == {}
    assert _of_type(changes, RECORD) == {"llm-rollout": "update"}
    assert {kind for kind, _ in changes} == {RAY_SERVICE, CONFIG_MAP, JOB, RECORD}


def test_appending_a_pool_touches_no_other_pool(
    deployed: Deployment, stack: dict[str, Any]
) -> None:
    stack["ray-llm:gpuPools"].append("a100-80gb-x2")
    changes = _edited(deployed, stack)
    assert _of_type(changes, NODE_POOL) == {"gpu-pools-a100-80gb-x2": "create"}
    assert _of_type(changes, RAY_SERVICE) == {"llm-ray-service": "update"}


def test_a_larger_pool_maximum_touches_that_pool_alone(
    deployed: Deployment, stack: dict[str, Any]
) -> None:
    stack["ray-llm:gpuPools"][0]["maxNodes"] += 1
    changes = _edited(deployed, stack)
    assert changes == {
        (NODE_POOL, "gpu-pools-t4"): "update",
        (RECORD, "gpu-pools-record"): "update",
    }


def test_removing_the_only_model_of_a_family_removes_its_config_map(
    deployed: Deployment, stack: dict[str, Any]
) -> None:
    stack["ray-llm:models"] = [
        model
        for model in stack["ray-llm:models"]
        if "mistral" not in (model if isinstance(model, str) else model["model"])
    ]
    changes = _edited(deployed, stack)
    assert _of_type(changes, CONFIG_MAP) == {"llm-llm-configs-mistral": "delete"}
    assert _of_type(changes, RAY_SERVICE) == {"llm-ray-service": "update"}
    assert _of_type(changes, NODE_POOL) == {}


def test_another_boot_disk_size_changes_only_that_pool(
    deployed: Deployment, stack: dict[str, Any]
) -> None:
    stack["ray-llm:gpuPools"][1]["bootDiskGb"] = 300
    changes = _edited(deployed, stack)
    assert _of_type(changes, NODE_POOL) == {"gpu-pools-l4": "update"}
    assert _of_type(changes, RAY_SERVICE) == {}
