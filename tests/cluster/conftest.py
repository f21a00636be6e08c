"""The local cluster for tests: one for each test process, for as long as that runs."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from localcloud.cluster import processes
from localcloud.cluster.lifecycle import down, up
from tests.cluster.figures import Figures, table
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stage import Stage

# Two processes take these in turn: what takes long first, and what uses the small service where its
# cluster has it already, as the process that is free after the edits has for the lifecycle.
GROUPS = (
    "test_faults.py",
    "test_autoscaling.py",
    "test_killed_engine.py",
    "test_edits.py",
    "test_shipped_stacks.py[dev]",
    "test_lifecycle.py",
    "test_shipped_stacks.py[staging]",
)
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


def group_of(nodeid: str) -> str:
    """What one process runs: a file, of the shipped stacks a stack."""
    file, _, test = nodeid.removeprefix("tests/cluster/").partition("::")
    return f"{file}[{test.partition('[')[2]}" if file == "test_shipped_stacks.py" else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {group: rank for rank, group in enumerate(GROUPS)}
    items.sort(key=lambda item: ranks.get(group_of(item.nodeid), len(ranks)))


class GroupScheduling(LoadScopeScheduling):
    """Gives each process a group at a time."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    return GroupScheduling(config, log)


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
