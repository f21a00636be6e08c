"""The Ray head is killed while requests come in: what is lost with and without Redis."""

import base64
import contextlib
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster.load import Load
from tests.cluster.redis_server import RedisServer, redis_server
from tests.cluster.service import Service

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]

MODELS = ("steady", "other")
AFTER_SECONDS = 20


def head(service: Service) -> Any:
    """The pod of the one Ray head, as far as it is not ending."""
    pods = [
        pod
        for pod in service.cluster.items(
            "/api/v1/namespaces/ai/pods?labelSelector=ray.io/node-type%3Dhead"
        )
        if not pod["metadata"].get("deletionTimestamp")
    ]
    return pods[0] if len(pods) == 1 else None


def kill_the_head(service: Service) -> str:
    """Kills all processes of the head's pod; returns the pod's uid."""
    pod = head(service)
    for process in service.cluster.processes_of(pod):
        # Some processes end when others are killed.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    uid: str = pod["metadata"]["uid"]
    return uid


def engines(service: Service) -> set[str]:
    return {pod["metadata"]["uid"] for name in MODELS for pod in service.cluster.engine_pods(name)}


def engines_of_one_cluster(service: Service) -> set[str]:
    service.await_one_ray_cluster()
    # Its pods may go a moment after it.
    eventually(lambda: head(service), "there is one head", seconds=60)
    return engines(service)


def another_head(service: Service, before: str) -> bool:
    pod = head(service)
    return bool(
        pod
        and pod["metadata"]["uid"] != before
        and any(
            item["type"] == "Ready" and item["status"] == "True"
            for item in pod.get("status", {}).get("conditions", [])
        )
    )


def secret_of(redis: RedisServer) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "redis-auth", "namespace": "ai"},
        "data": {"password": base64.b64encode(redis.password.encode()).decode()},
    }


def lose_the_head(service: Service, figures: Figures, what: str) -> Load:
    """Kills the head under load and waits for another one, and for every model."""
    with Load(service.cluster, MODELS, by_name=True) as load:
        time.sleep(2)
        before = kill_the_head(service)
        with figures.timed(f"head killed {what}: until another one is ready"):
            eventually(lambda: another_head(service, before), "another head is ready", seconds=240)
        with figures.timed(f"head killed {what}: from then until every model answers"):
            eventually(
                lambda: all(
                    service.cluster.chat(name, name, "again", by_name=True)[0] == 200
                    for name in MODELS
                ),
                "every model answers",
                seconds=240,
            )
        time.sleep(AFTER_SECONDS)
    figures.add(f"head killed {what}: requests", load.summary())
    return load


def test_with_redis_the_models_go_on_without_their_head(
    service: Service, figures: Figures, tmp_path: Path
) -> None:
    service.free_idle_workers()
    with redis_server(tmp_path) as redis:
        service.cluster.apply(secret_of(redis))
        recovery = {"redis": redis.address, "passwordSecret": "redis-auth"}
        service.write({**service.base, "ray-llm:service": {"headRecovery": recovery}}).must_up()
        before = engines_of_one_cluster(service)
        load = lose_the_head(service, figures, "with Redis")
        assert engines(service) == before, "the models have loaded again"
        # What the head's own proxy was answering, and what the Service sent it before Kubernetes
        # noticed; the models themselves lose nothing.
        assert {lost.status for lost in load.lost} <= {0, 502, 503}
        service.assert_whole()
        # The password is nowhere but in the Secret.
        assert redis.password not in str(service.deployment.state())
        service.restore()
        # KubeRay asks Redis to forget a Ray cluster before that one is gone.
        service.await_one_ray_cluster()


def test_without_redis_every_model_loads_again(service: Service, figures: Figures) -> None:
    before = engines_of_one_cluster(service)
    load = lose_the_head(service, figures, "without Redis")
    assert load.lost
    assert not engines(service) & before
    service.assert_whole()
