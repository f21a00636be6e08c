"""The local cluster for tests: one for each test process, for as long as that runs."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.cluster import processes
from localcloud.cluster.lifecycle import down, up
from tests.cluster.figures import Figures, table
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stage import Stage

# Three processes take these files in turn: what takes long first, and after each other those that
# use the small service, which a process deploys anew after another stack.
FILES = ("faults", "autoscaling", "killed_engine", "shipped_stacks", "edits", "lifecycle")
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
def stage(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, figures: Figures
) -> Iterator[Stage]:
    stage = Stage(cluster, tmp_path_factory, figures)
    yield stage
    stage.clear()


@pytest.fixture
def deployed_service(stage: Stage) -> Iterator[Service]:
    """The small service as the test before left it, which may have a third model by now."""
    service = stage.small_service()
    yield service
    service.cluster.engine_faults({})


@pytest.fixture
def service(deployed_service: Service) -> Service:
    """The small service with the stack file that it started with."""
    deployed_service.restore()
    return deployed_service


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    ranks = {here / f"test_{name}.py": rank for rank, name in enumerate(FILES)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


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
