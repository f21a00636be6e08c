"""Models sleep and wake by windows while requests run.

KubeRay, Ray Serve, Kubernetes' CronJob controller and its RBAC are real. The pods of the schedule
are started from its CronJob, as `kubectl create job --from` does, so that no test waits for a
minute of the clock.
"""

import json
import time

import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from manifests.off_hours.script.main import ANNOTATION
from tests.cluster.deployed import RAY_SERVICE
from tests.cluster.load import Load
from tests.cluster.nights import (
    BATCH,
    MODEL,
    SLEEPY,
    has_node,
    minimum,
    run_schedule,
    sleeps,
    window,
    with_window,
)
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY

pytestmark = pytest.mark.cluster


def replicas(cluster: Cluster, model: str) -> set[int]:
    """The processes of the model's engines and routers that run."""
    return {
        replica["pid"]
        for deployment in cluster.models()[model]["deployments"].values()
        for replica in deployment["replicas"]
        if replica["state"] == "RUNNING"
    }


def schedule(cluster: Cluster, *, open_now: bool) -> None:
    """Move the window in the live object: what the clock would do in some hours."""
    record = json.loads(cluster.get(RAY_SERVICE)["metadata"]["annotations"][ANNOTATION])
    moved = window(open_now=open_now)
    record["windows"] = [{**record["windows"][0], "sleep": moved["sleep"], "wake": moved["wake"]}]
    annotations = {"metadata": {"annotations": {ANNOTATION: json.dumps(record)}}}
    cluster.patch(RAY_SERVICE, annotations, "test")


def test_a_model_sleeps_and_wakes_by_its_window_without_a_lost_request(
    service: Service, figures: Figures
) -> None:
    cluster, deployment = service.cluster, service.deployment
    with_window(service, SLEEPY, open_now=False).must_up()
    deployment.settled()
    eventually(lambda: len(replicas(cluster, MODEL)) >= 2, "engine and router run", seconds=120)
    # Not one that an earlier test's rollout leaves for a minute.
    service.await_one_ray_cluster()
    everybody = {model: replicas(cluster, model) for model in ("steady", "other", MODEL)}
    clusters = deployment.ray_clusters()
    run_schedule(cluster)
    assert minimum(cluster) == 1

    # The night begins while requests run: nothing restarts. Answers take as long as real ones do,
    # because Ray Serve does not count requests, but looks whether one runs.
    cluster.engine_faults({MODEL: {"token_seconds": 0.5}})
    with Load(cluster, ("steady", "other", MODEL), per_second=10) as evening:
        time.sleep(15)  # until Ray Serve has seen that the model is used
        schedule(cluster, open_now=True)
        run_schedule(cluster)
        eventually(lambda: minimum(cluster) == 0, "Ray Serve has the night's minimum", seconds=60)
        time.sleep(15)  # three times the model's downscale delay
        assert {model: replicas(cluster, model) for model in everybody} == everybody
    cluster.engine_faults({})
    figures.add("the night begins at 10 requests a second", evening.summary())
    assert evening.lost == []

    # Without requests the replicas go, then the node; the others stay.
    with Load(cluster, ("steady", "other"), per_second=4) as night:
        with figures.timed("from the last request to a model without a replica"):
            eventually(lambda: sleeps(cluster), "the model sleeps", seconds=120)
        with figures.timed("from there to its node gone"):
            eventually(lambda: not has_node(cluster), "its node is gone", seconds=120)
        # A request at night wakes it, and it sleeps again.
        with figures.timed("a request at night, to its answer"):
            assert cluster.chat(MODEL, MODEL, "psst", timeout=180) == (200, f"{MODEL}: psst")
        eventually(lambda: sleeps(cluster), "the model sleeps again", seconds=120)
    assert night.lost == []
    assert replicas(cluster, "steady") == everybody["steady"]

    # The day begins while requests run.
    with Load(cluster, ("steady", "other", MODEL), per_second=10, timeout=180) as morning:
        schedule(cluster, open_now=False)
        run_schedule(cluster)
        eventually(lambda: minimum(cluster) == 1, "Ray Serve has the day's minimum", seconds=60)
        eventually(lambda: not sleeps(cluster), "the model is awake", seconds=120)
    figures.add("the day begins at 10 requests a second", morning.summary())
    assert morning.lost == []
    assert replicas(cluster, "steady") == everybody["steady"]
    assert deployment.ray_clusters() == clusters


def test_an_up_at_night_wakes_models_and_the_schedule_lets_them_sleep_again(
    service: Service,
) -> None:
    cluster, deployment = service.cluster, service.deployment
    with_window(service, SLEEPY, open_now=True).must_up()
    run_schedule(cluster)
    eventually(lambda: minimum(cluster) == 0, "Ray Serve has the night's minimum", seconds=60)
    # A second `up` changes nothing.
    deployment.settled()
    assert minimum(cluster) == 0

    wider = {**SLEEPY, "replicas": {"min": 1, "max": 3}}
    edited = with_window(service, wider, open_now=True)
    with Load(cluster, ("steady", "other", MODEL), per_second=4, timeout=180) as load:
        preview = " ".join(edited.preview().stdout.split())
        assert f"It is off-hours for {MODEL}" in preview
        edited.must_up()
        run_schedule(cluster)
        eventually(lambda: minimum(cluster) == 0, "the model may sleep again", seconds=60)
    assert load.lost == []
    deployment.settled()

    # Without windows nobody is left asleep.
    service.models(STEADY, OTHER, wider).must_up()
    eventually(lambda: minimum(cluster) == 1, "the model has its minimum back", seconds=60)
    assert cluster.items(f"{BATCH}/cronjobs") == []
