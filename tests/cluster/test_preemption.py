"""Google takes a spot node back under load: what is lost, and by which way the next one comes.

How a node goes is in tests/cluster/nodes.py. Neither the time that a machine takes to come, nor
that Google has none, is real.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.cluster.kubernetes_api import Object
from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster.load import Load
from tests.cluster.nodes import take_back
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stage import Stage

pytestmark = pytest.mark.cluster

SPOT, ON_DEMAND = "l4-spot", "l4"
POOL = {"tier": "l4", "capacity": ["spot", "on-demand"], "maxNodes": 4}
LONE: dict[str, Any] = {
    "model": "qwen2.5-0.5b-instruct",
    "name": "lone",
    "gpu": "l4",
    "replicas": {"min": 1, "max": 1},
}
PAIR: dict[str, Any] = {
    "model": "qwen2.5-1.5b-instruct",
    "name": "pair",
    "gpu": "l4",
    "replicas": {"min": 2, "max": 2},
}
REPLICAS = {"lone": 1, "pair": 2}
AFTER_SECONDS = 10
# An engine that starts at once would hide what a loss costs.
START_SECONDS = 20.0


@pytest.fixture(scope="module")
def service(stage: Stage) -> Iterator[Service]:
    """The small service with its models on spot, where there is any."""
    service = stage.small_service()
    service.restore()
    service.free_idle_workers()
    pools = [pool for pool in service.base["ray-llm:gpuPools"] if pool["tier"] != "l4"]
    config = {
        **service.base,
        "ray-llm:gpuPools": [*pools, POOL],
        "ray-llm:models": [LONE, PAIR],
    }
    service.write(config).must_up()
    service.await_one_ray_cluster()
    yield service
    service.cluster.out_of_stock()
    # The way back is a second Ray cluster, for which the small service's pools have no room.
    roomy = [{**pool, "maxNodes": 4} for pool in service.base["ray-llm:gpuPools"]]
    service.write({**service.base, "ray-llm:gpuPools": roomy}).must_up()
    service.await_one_ray_cluster()
    service.restore()
    service.await_one_ray_cluster()


@pytest.fixture(autouse=True)
def _in_stock(service: Service) -> Iterator[None]:
    """Every test starts with a node of spot for each replica."""
    service.cluster.out_of_stock()
    eventually(lambda: _all_run(service.cluster), "every replica runs", seconds=240)
    service.cluster.engine_faults({"*": {"start_seconds": START_SECONDS}})
    yield
    service.cluster.out_of_stock()
    service.cluster.engine_faults({})


def _all_run(cluster: Cluster) -> bool:
    return all(len(cluster.engine_pods(name)) == count for name, count in REPLICAS.items())


def spare_nodes(cluster: Cluster) -> set[str]:
    """Nodes of the pool without an engine."""
    nodes = [node for pool in (SPOT, ON_DEMAND) for node in cluster.nodes(pool)]
    engines = [pod for model in REPLICAS for pod in cluster.engine_pods(model)]
    used = {pod["spec"]["nodeName"] for pod in engines}
    return {node["metadata"]["name"] for node in nodes} - used


def pool_of(cluster: Cluster, pod: Object) -> str:
    node = cluster.get(f"/api/v1/nodes/{pod['spec']['nodeName']}")
    name: str = node["metadata"]["labels"]["cloud.google.com/gke-nodepool"]
    return name


def lose_a_node(service: Service, model: str, figures: Figures, *, notice: bool) -> Load:
    """Takes the node of one of a model's engines under load, and waits until all run again."""
    cluster = service.cluster
    pod = cluster.engine_pods(model)[0]
    count = f"{REPLICAS[model]} replica{'s' if REPLICAS[model] > 1 else ''}"
    what = f"spot node taken {'with' if notice else 'without'} notice, {count}"
    with Load(cluster, ("lone", "pair"), per_second=10) as load:
        time.sleep(2)
        take_back(cluster, pod["spec"]["nodeName"], notice=notice)
        with figures.timed(f"{what}: until the next answer"):
            eventually(
                lambda: cluster.chat(model, model, "again")[0] == 200,
                "the model answers",
                seconds=240,
            )
        with figures.timed(f"{what}: from then until every replica runs"):
            eventually(lambda: _all_run(cluster), "every replica runs", seconds=240)
        time.sleep(AFTER_SECONDS)
    sent, lost = load.sent_to[model], len(load.lost_of(model))
    slowest = f"slowest answer {load.slowest_of[model]:.1f} s"
    figures.add(f"{what}: requests of the model", f"{sent} sent, {lost} lost, {slowest}")
    return load


WITH_AND_WITHOUT_NOTICE = pytest.mark.parametrize(
    "notice",
    [
        pytest.param(True, id="notice"),
        pytest.param(False, id="no-notice", marks=pytest.mark.thorough),
    ],
)


@WITH_AND_WITHOUT_NOTICE
def test_a_lone_replica_is_down_until_another_node_has_loaded_it(
    service: Service, figures: Figures, notice: bool
) -> None:
    load = lose_a_node(service, "lone", figures, notice=notice)
    # The other model has its own nodes.
    assert load.lost_of("pair") == []
    assert len({pool_of(service.cluster, pod) for pod in service.cluster.engine_pods("lone")}) == 1


@WITH_AND_WITHOUT_NOTICE
def test_of_two_replicas_the_other_one_answers_meanwhile(
    service: Service, figures: Figures, notice: bool
) -> None:
    load = lose_a_node(service, "pair", figures, notice=notice)
    assert load.lost_of("lone") == []
    # At most what the lost replica was answering, and what its router sent it before Ray knew.
    lost = load.lost_of("pair")
    assert len(lost) < load.sent_to["pair"] / 4, lost[:5]


def test_the_next_node_comes_by_the_next_way_if_google_has_no_spot(
    service: Service, figures: Figures
) -> None:
    cluster = service.cluster
    # Otherwise a spot node that an earlier test has left would take the replica.
    service.free_idle_workers()
    eventually(lambda: not spare_nodes(cluster), "every node has an engine", seconds=180)
    cluster.out_of_stock(SPOT)
    lose_a_node(service, "lone", figures, notice=True)
    assert [pool_of(cluster, pod) for pod in cluster.engine_pods("lone")] == [ON_DEMAND]
    # Both node pools are one pool of Ray: no worker of another group has come.
    groups = {pod["metadata"]["labels"]["ray.io/group"] for pod in cluster.engine_pods("lone")}
    assert groups == {"l4"}
    service.deployment.assert_answers("lone", "pair")
