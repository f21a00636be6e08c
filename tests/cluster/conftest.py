"""The local cluster for tests: one for each test process, for as long as that runs."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.cluster import processes
from localcloud.cluster.lifecycle import down, up
from tests.cluster.deployed import ClusterDeployment
from tests.cluster.figures import Figures, table
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stacks import small_stack

COLLECTED = pytest.StashKey[list[tuple[str, str]]]()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """What is measured on the way; printed as a table at the end."""
    return Figures(pytestconfig.stash.setdefault(COLLECTED, []))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, figures: Figures) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("cluster-home")
    with figures.timed("cluster start, once built"):
        state = up(home, serve_port=0, dashboard_port=0, owner=os.getpid())
    try:
        running = Cluster(state)
        with figures.peak_memory("peak memory of a cluster and its stack", running.memory_bytes):
            yield running
    finally:
        down(home)
        assert processes.marked(state.mark) == []


@pytest.fixture(scope="session")
def deployed_service(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, figures: Figures
) -> Iterator[Service]:
    cluster.install_kuberay()
    # Somebody has made the namespace, and put something into it.
    team = {"name": "ai", "labels": {"team": "ml"}}
    mine = {"name": "of-the-team", "namespace": "ai"}
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": team},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": mine, "data": {"a": "b"}},
    )
    config = small_stack()
    deployment = ClusterDeployment(tmp_path_factory.mktemp("small"), "small", config, cluster)
    with figures.timed("two models on two GPUs: first up to both answering"):
        deployment.must_up()
    yield Service(deployment, config)
    deployment.destroy()
    deployment.assert_nothing_left()


@pytest.fixture
def service(deployed_service: Service) -> Iterator[Service]:
    """The small service, put back after the test."""
    yield deployed_service
    deployed_service.cluster.engine_faults({})
    deployed_service.restore()


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = session.config.stash.get(COLLECTED, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    collected = node.config.stash.setdefault(COLLECTED, [])
    collected += [(name, value) for name, value in node.workeroutput.get("figures", [])]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    rows = config.stash.get(COLLECTED, [])
    if rows:
        terminalreporter.section("figures")
        terminalreporter.write(table(rows))
