"""A model and its nodes scale from zero to the maximum and back under load.

Ray Serve's autoscaling, Ray's cluster autoscaler (v2), KubeRay and the scheduler are real. The
machines are simulated (devtools/localcloud/localcloud/cluster/node_pools.py).
"""

from typing import Any

import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster.idle_workers import idle_timeout
from tests.cluster.load import Load
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY

pytestmark = pytest.mark.cluster

MODEL = "bursty"
BURSTY: dict[str, Any] = {
    "model": "qwen2.5-0.5b-instruct",
    "name": MODEL,
    "gpu": "t4",
    "replicas": {"min": 0, "max": 2},
    "targetOngoingRequests": 2,
    "upscaleDelaySeconds": 1,
    "downscaleDelaySeconds": 5,
}
# The time per word, so that eight requests per second are more than two replicas can take.
TOKEN_SECONDS = 0.5


def workers(cluster: Cluster) -> int:
    """The number of worker pods in the model's pool; asserts that each has a separate node."""
    nodes = [pod["spec"].get("nodeName") for pod in cluster.ray_pods("t4")]
    assert len(set(nodes)) == len(nodes)
    return len(nodes)


def asleep(cluster: Cluster) -> bool:
    """Whether only the worker of the steady model and its node are left."""
    return (
        not cluster.engine_pods(MODEL) and workers(cluster) == 1 and len(cluster.nodes("t4")) == 1
    )


def scale(cluster: Cluster, figures: Figures) -> Load:
    """Scale the model from zero to its maximum and back; returns the load that caused it."""
    # The router wakes the model once when it is deployed.
    eventually(lambda: asleep(cluster), "the model and its node are gone", seconds=180)

    with figures.timed("a model at zero, from the first request to its answer"):
        answer = cluster.chat(MODEL, MODEL, "wake up", timeout=180)
    assert answer == (200, f"{MODEL}: wake up")

    cluster.engine_faults({MODEL: {"token_seconds": TOKEN_SECONDS}})
    with (
        Load(cluster, (MODEL,), per_second=8, at_once=64) as load,
        figures.timed("under load, until a second replica on a second node runs"),
    ):
        eventually(
            lambda: len(cluster.engine_pods(MODEL)) == 2 and workers(cluster) == 3,
            "two replicas on two nodes",
            seconds=180,
        )
    cluster.engine_faults({})
    with figures.timed("after the load, until replicas and nodes are gone"):
        eventually(lambda: asleep(cluster), "the model and its nodes are gone", seconds=180)
    return load


def test_a_model_goes_from_zero_to_its_maximum_and_back_to_zero(
    service: Service, figures: Figures
) -> None:
    cluster = service.cluster
    before = service.deployment.ray_clusters()
    with Load(cluster, ("steady", "other")) as others:
        service.models(STEADY, OTHER, BURSTY).must_up()
        with idle_timeout(cluster, 5):
            load = scale(cluster, figures)
    figures.add("scaled from zero to two and back: its own requests", load.summary())
    figures.add("scaled from zero to two and back: other models' requests", others.summary())
    assert load.lost == []
    assert others.lost == []
    assert service.deployment.ray_clusters() == before
