"""Strategy `recreate`: a change that needs a second Ray cluster, on nodes for one alone."""

from typing import Any

import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from models.catalog import ray_releases
from tests.cluster.deployed import RAY, RAY_SERVICE, kill_engine
from tests.cluster.load import Load
from tests.cluster.releases import release
from tests.cluster.service import Service

pytestmark = pytest.mark.cluster

STRANGER = {
    "apiVersion": "ray.io/v1",
    "kind": "RayCluster",
    "metadata": {"name": "stranger", "namespace": "ai"},
    "spec": {
        "suspend": True,
        "headGroupSpec": {
            "rayStartParams": {},
            "template": {"spec": {"containers": [{"name": "ray-head", "image": "stranger:1"}]}},
        },
    },
}


def one_cluster(service: Service, *, recreate: bool, mirror: bool) -> dict[str, Any]:
    """The small stack with nodes for one Ray cluster."""
    config = {
        **service.base,
        "ray-llm:gpuPools": [{"tier": "t4", "maxNodes": 1}, {"tier": "l4", "maxNodes": 1}],
    }
    if recreate:
        config["ray-llm:rollout"] = {"strategy": "recreate"}
    if mirror:
        image = f"us-docker.pkg.dev/acme/mirror/{ray_releases()[release().ray].image}"
        config["ray-llm:versions"] = {**config["ray-llm:versions"], "image": image}
    return config


def starting(service: Service) -> bool:
    return bool(service.cluster.get(RAY_SERVICE)["status"].get("pendingServiceStatus"))


def test_the_old_cluster_goes_first_and_an_update_killed_meanwhile_is_ended_by_the_next(
    service: Service, figures: Figures
) -> None:
    deployment, cluster = service.deployment, service.cluster
    service.write(one_cluster(service, recreate=True, mirror=False)).must_up()
    cluster.apply(STRANGER)
    stranger = cluster.get(f"{RAY}/rayclusters/stranger")["metadata"]["uid"]
    try:
        service.write(one_cluster(service, recreate=False, mirror=True))
        stopped = deployment.preview()
        assert stopped.returncode != 0
        assert "is below the 2 nodes of" in " ".join((stopped.stdout + stopped.stderr).split())

        service.write(one_cluster(service, recreate=True, mirror=True))
        said = deployment.preview()
        text = " ".join((said.stdout + said.stderr).split())
        assert said.returncode == 0, text
        assert "no model answers from then until the new one has loaded it" in text
        with Load(cluster, ("steady", "other"), per_second=4, at_once=300) as load:
            first = deployment.start_up()
            eventually(lambda: starting(service), "a second Ray cluster starts", seconds=90)
            assert kill_engine(first)
            deployment.pulumi("cancel", "--yes")
            log = deployment.must_up()
        assert "No model answers from now on" in log
        assert "answers now" in log or "runs" in log
        assert cluster.get(f"{RAY}/rayclusters/stranger")["metadata"]["uid"] == stranger
        seconds = [lost.seconds for lost in load.lost]
        figures.add("recreate", load.summary())
        figures.add("... from the first lost to the last", f"{max(seconds) - min(seconds):.0f} s")
    finally:
        cluster.delete(f"{RAY}/rayclusters/stranger")
    images = {
        container["image"]
        for pod in cluster.ray_pods("l4")
        for container in pod["spec"]["containers"]
    }
    assert all("mirror" in image for image in images)
    service.assert_whole()
