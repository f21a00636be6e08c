"""A service in use goes from one Ray release to another and back, by an edit of `versions`.

KubeRay starts a second Ray cluster beside the first and lets it take over when it serves.
"""

import json
import urllib.request

import pytest

from localcloud.cluster.installation import installed
from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster.load import Load
from tests.cluster.releases import release, with_release
from tests.cluster.running import Cluster
from tests.cluster.service import Service

pytestmark = pytest.mark.cluster


def running_ray(cluster: Cluster) -> str:
    """The release that the head of the serving Ray cluster reports."""
    with urllib.request.urlopen(f"{cluster.state.dashboard}/api/version", timeout=10) as answer:
        version: str = json.loads(answer.read())["ray_version"]
    return version


def test_another_release_takes_over_without_a_lost_request(
    service: Service, figures: Figures
) -> None:
    there = [each.release for each in installed().ray]
    (other,) = {there[0], there[-1]} - {release().ray}
    deployment = service.deployment
    service.free_idle_workers()
    for ray in (other, release().ray):
        (before,) = deployment.ray_clusters()
        with Load(service.cluster, ("steady", "other")) as load:
            with figures.timed(f"to Ray {ray}, until all models answer from it"):
                service.write(with_release(service.base, ray)).must_up()
            eventually(
                lambda before=before: before not in deployment.ray_clusters(),
                "the first Ray cluster is gone",
                seconds=180,
            )
        figures.add(f"to Ray {ray}: requests", load.summary())
        assert running_ray(service.cluster) == ray
        assert len(deployment.ray_clusters()) == 1
        assert load.lost == []
    service.assert_whole()
