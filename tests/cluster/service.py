"""A small service that stays up while tests edit and disturb it."""

import copy
from collections import Counter
from typing import Any

from localcloud.testing.running_cluster import eventually
from tests.cluster.deployed import NAMESPACE, RAY, ClusterDeployment
from tests.cluster.idle_workers import idle_timeout
from tests.cluster.running import Cluster
from tests.cluster.stacks import OTHER, STEADY, THIRD


class Service:
    """The deployment of a small stack, and the stack file to which tests reset it."""

    def __init__(self, deployment: ClusterDeployment, config: dict[str, Any]) -> None:
        self.deployment = deployment
        self.base = config
        self.config = config

    @property
    def cluster(self) -> Cluster:
        return self.deployment.cluster

    def models(self, *models: dict[str, Any]) -> ClusterDeployment:
        """Write the stack file with these models; returns the deployment, for an `up`."""
        return self.write({**self.base, "ray-llm:models": list(models)})

    def edit(self) -> ClusterDeployment:
        """Write the stack file with a third model, or edit the third model if there is one."""
        longer = {**THIRD, "contextLength": 2048}
        third = longer if THIRD in self.config["ray-llm:models"] else THIRD
        return self.models(STEADY, OTHER, third)

    def write(self, config: dict[str, Any]) -> ClusterDeployment:
        """Write the stack file."""
        self.config = copy.deepcopy(config)
        self.deployment.write(config)
        return self.deployment

    def restore(self) -> None:
        """Restore the stack file with which every test starts."""
        if self.config != self.base:
            self.write(self.base).must_up()

    def await_one_ray_cluster(self) -> None:
        """Return once the Ray cluster that a rollout leaves for a minute has gone."""
        eventually(
            lambda: len(self.deployment.ray_clusters()) == 1, "one Ray cluster is left", seconds=240
        )

    def free_idle_workers(self) -> None:
        """Return once no GPU node runs without an engine, so that a second Ray cluster has room.

        Earlier tests may have left some, which the autoscaler keeps for five minutes.
        """
        pools = [pool.get("name", pool["tier"]) for pool in self.config["ray-llm:gpuPools"]]
        models = [model.get("name", model["model"]) for model in self.config["ray-llm:models"]]

        def all_busy() -> bool:
            workers = [pod for pool in pools for pod in self.cluster.ray_pods(pool)]
            engines = [pod for model in models for pod in self.cluster.engine_pods(model)]
            return len(workers) == len(engines)

        self.await_one_ray_cluster()
        with idle_timeout(self.cluster, 5):
            eventually(all_busy, "no idle worker is left", seconds=180)

    def assert_whole(self) -> None:
        """Assert that everything in the stack file exists exactly once and answers."""
        models = [model.get("name", model["model"]) for model in self.config["ray-llm:models"]]
        self.deployment.assert_answers(*models)
        # The application of a model that was removed drains for a while.
        eventually(
            lambda: (
                self.cluster.models().keys() == set(models)
                and len(self.cluster.applications()) == len(models)
            ),
            f"Ray Serve runs {models} and nothing else",
            seconds=60,
        )
        assert len(self.cluster.items(f"{RAY}/rayservices")) == 1
        assert len(self.cluster.items(f"{RAY}/rayclusters")) == 1
        jobs = self.cluster.items(f"/apis/batch/v1{NAMESPACE.removeprefix('/api/v1')}/jobs")
        assert [job["status"].get("succeeded") for job in jobs] == [1], jobs
        at_google = Counter[tuple[str, str]]()
        for entry in self.deployment.cloud.journal():
            if entry["phase"] == "done":
                step = {"create": 1, "delete": -1}.get(entry["operation"], 0)
                at_google[entry["type"], entry["name"]] += step
        assert max(at_google.values()) == 1, at_google
        self.deployment.settled()
