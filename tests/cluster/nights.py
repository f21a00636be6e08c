"""A model with a window of off-hours, a pool whose workers go soon, and runs of the schedule."""

import itertools
from typing import Any

from localcloud.testing.running_cluster import eventually
from tests.cluster.deployed import ClusterDeployment
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY
from tests.daily_window import daily_window

BATCH = "/apis/batch/v1/namespaces/ai"
MODEL = "sleepy"
POOL: dict[str, Any] = {
    "tier": "t4",
    "name": "nights",
    "maxNodes": 2,
    "idleTimeoutSeconds": 10,
}
SLEEPY: dict[str, Any] = {
    "model": "qwen2.5-0.5b-instruct",
    "name": MODEL,
    "gpu": POOL["name"],
    "replicas": {"min": 1, "max": 2},
    "downscaleDelaySeconds": 5,
}
NUMBERS = itertools.count()


def window(*, open_now: bool) -> dict[str, Any]:
    """The model's window."""
    return daily_window(open_now=open_now, models=[MODEL])


def with_window(service: Service, model: dict[str, Any], *, open_now: bool) -> ClusterDeployment:
    """The small service with the model in a pool of its own, which stays: appended, in place."""
    if POOL not in service.base["ray-llm:gpuPools"]:
        service.base["ray-llm:gpuPools"].append(POOL)
    return service.write(
        {
            **service.base,
            "ray-llm:models": [STEADY, OTHER, model],
            "ray-llm:offHours": window(open_now=open_now),
            "ray-llm:accept": ["off-hours-short", "downscale-short"],
        }
    )


def run_schedule(cluster: Cluster) -> None:
    """One run of the CronJob's pod, which has to succeed."""
    cron_job = cluster.get(f"{BATCH}/cronjobs/off-hours")
    name = f"off-hours-by-hand-{next(NUMBERS)}"
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": cron_job["spec"]["jobTemplate"]["spec"],
    }
    cluster.api(lambda api: api.create(f"{BATCH}/jobs", job))

    def ended() -> str | None:
        status = cluster.get(f"{BATCH}/jobs/{name}")["status"]
        return "yes" if status.get("succeeded") else "no" if status.get("failed") else None

    assert eventually(ended, "the run has ended", seconds=90) == "yes"
    cluster.delete(f"{BATCH}/jobs/{name}")


def minimum(cluster: Cluster) -> int:
    """The minimum with which Ray Serve runs the model's engines."""
    config = cluster.models()[MODEL]["deployed_app_config"]
    [least] = [
        item["autoscaling_config"]["min_replicas"]
        for item in config["deployments"]
        if item["name"].startswith("LLMServer")
    ]
    found: int = least
    return found


def has_node(cluster: Cluster) -> bool:
    """Whether a node of the model's pool is there."""
    return bool(cluster.nodes(POOL["name"]))


def sleeps(cluster: Cluster) -> bool:
    """Whether no engine runs; routers take no GPU and stay for their own delay of ten minutes."""
    return not cluster.engine_pods(MODEL)
