"""The RayService, judged by the CRDs of KubeRay as an API server judges it."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from localcloud.providers.kubernetes import crds, structural
from manifests.ray_service import ray_cluster_config
from models.catalog import gpu_tiers, ray_releases
from tests.manifests.plans import model, plan, pool
from tests.manifests.written import ray_service

pytestmark = pytest.mark.engine
CACHE = Path(__file__).parents[2] / ".localcloud" / "cache"


@cache
def schema_of(version: str) -> dict[str, Any]:
    [definition] = [
        item
        for item in crds.kuberay_crds(CACHE, f"v{version}")
        if item["spec"]["names"]["kind"] == "RayService"
    ]
    [served] = [item for item in definition["spec"]["versions"] if item["name"] == "v1"]
    schema: dict[str, Any] = served["schema"]["openAPIV3Schema"]
    return schema


def refused(service: dict[str, Any], version: str) -> list[tuple[str, str]]:
    body = {key: value for key, value in service.items() if key != "metadata"}
    return list(structural.problems(body, schema_of(version)))


# Of the releases in the catalogue, those that the Go module proxy serves.
@pytest.mark.parametrize("kuberay", ["1.4.2", "1.6.2"])
def test_kuberays_oldest_and_default_release_know_every_field(kuberay: str) -> None:
    pools = tuple(pool(tier, spot=spot) for tier in gpu_tiers() for spot in (False, True))
    for ray in ray_releases():
        assert refused(ray_service(plan((model(),), pools, ray=ray)), kuberay) == []


def test_an_unknown_field_and_a_port_that_stands_twice_are_refused() -> None:
    """TCP is only the default of the second port, and counts all the same."""
    service = ray_service(plan())
    [head] = service["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]["containers"]
    head["ports"].append({"name": "again", "containerPort": 8265, "protocol": "TCP"})
    head["imagePulPolicy"] = "Always"
    paths = [path.rpartition("containers[0].")[2] for path, _ in refused(service, "1.6.2")]
    assert sorted(paths) == ["imagePulPolicy", "ports[5]"]


def test_every_gpu_that_is_requested_is_also_a_limit() -> None:
    """A request without a limit is refused when the pod is made, not by the schema."""
    for group in ray_cluster_config(plan())["workerGroupSpecs"]:
        spec = group["template"]["spec"]
        assert "initContainers" not in spec
        for container in spec["containers"]:
            resources = container["resources"]
            assert resources["limits"] == resources["requests"]
