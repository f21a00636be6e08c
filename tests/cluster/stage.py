"""The stack that is deployed to the cluster of a test process: one at a time."""

import pytest

from localcloud.testing.figures import Figures
from tests.cluster.deployed import ClusterDeployment
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stacks import small_stack


class Stage:
    """Keeps the small service up for its tests until other tests need the cluster."""

    def __init__(self, cluster: Cluster, folders: pytest.TempPathFactory, figures: Figures) -> None:
        self.cluster = cluster
        self._folders = folders
        self._figures = figures
        self._service: Service | None = None

    def small_service(self) -> Service:
        """The small service, in a namespace that existed before and holds another object."""
        if self._service is None:
            self.cluster.install_kuberay()
            team = {"name": "ai", "labels": {"team": "ml"}}
            mine = {"name": "of-the-team", "namespace": "ai"}
            self.cluster.apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": team},
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": mine, "data": {"a": "b"}},
            )
            config = small_stack()
            folder = self._folders.mktemp("small")
            deployment = ClusterDeployment(folder, "small", config, self.cluster)
            with self._figures.timed("two models on two GPUs: first up to both answering"):
                deployment.must_up()
            self._service = Service(deployment, config)
        return self._service

    def clear(self) -> None:
        """Destroy the small service if it is up, and assert that nothing of it is left."""
        service, self._service = self._service, None
        if service is not None:
            service.deployment.destroy()
            service.deployment.assert_nothing_left()
