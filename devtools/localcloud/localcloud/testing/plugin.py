"""A pytest plugin: what the tests of one process share, and the measurements made on it.

These are a local cluster, and a fork server for the commands of tests that run the real engine.
Installing the package installs the plugin. Every test run loads it, so the fixtures import the
modules that take long to import.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.testing.figures import Figures, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.testing.running_cluster import RunningCluster

COLLECTED = pytest.StashKey[list[tuple[str, str]]]()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """The measurements of the test run, printed as a table at the end."""
    return Figures(pytestconfig.stash.setdefault(COLLECTED, []))


@pytest.fixture(scope="session")
def pulumi_forks() -> Iterator[None]:
    """Pulumi's Python processes are forks of one that has imported the program and the providers.

    Importing is most of what a command costs otherwise. A fork runs the same code from there on.
    """
    import tempfile

    from localcloud.cloud import FORKS_VARIABLE
    from localcloud.forks import start_pulumi_server

    # Not a folder of pytest's: the path of a socket has at most 107 characters.
    with (
        tempfile.TemporaryDirectory(prefix="rl-") as folder,
        start_pulumi_server(Path(folder)) as server,
    ):
        os.environ[FORKS_VARIABLE] = folder
        yield
        del os.environ[FORKS_VARIABLE]
        server.kill()


@pytest.fixture(autouse=True)
def _forks_for_the_engine(request: pytest.FixtureRequest) -> None:
    """Tests that run the real engine use the fork server."""
    if sys.platform == "linux" and request.node.get_closest_marker("engine"):
        request.getfixturevalue("pulumi_forks")


@pytest.fixture(scope="session")
def local_cluster(
    tmp_path_factory: pytest.TempPathFactory, figures: Figures
) -> Iterator[RunningCluster]:
    """The cluster of this test process; it ends with the process."""
    from localcloud.cluster import processes
    from localcloud.cluster.lifecycle import down, up
    from localcloud.testing.running_cluster import RunningCluster

    home = tmp_path_factory.mktemp("cluster-home")
    with figures.timed("cluster start, once built"):
        state = up(home, serve_port=0, dashboard_port=0, owner=os.getpid())
    try:
        running = RunningCluster(state)
        with figures.peak_memory("peak memory of a cluster and its stack", running.memory_bytes):
            yield running
    finally:
        down(home)
        assert processes.marked(state.mark) == []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send a worker's measurements to the process that prints them."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = session.config.stash.get(COLLECTED, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add a worker's measurements."""
    collected = node.config.stash.setdefault(COLLECTED, [])
    collected += [(name, value) for name, value in node.workeroutput.get("figures", [])]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the measurements, if there are any."""
    rows = config.stash.get(COLLECTED, [])
    if rows:
        terminalreporter.section("figures")
        terminalreporter.write(table(rows))
