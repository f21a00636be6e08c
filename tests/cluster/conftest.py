"""The local cluster for tests: brought up once, brought down at the end."""

from collections.abc import Iterator

import pytest

from localcloud.cluster import processes
from localcloud.cluster.lifecycle import down, up
from tests.cluster.running import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("cluster-home")
    state = up(home, serve_port=0, dashboard_port=0)
    try:
        yield Cluster(state)
    finally:
        down(home)
        assert processes.marked(state.mark) == []
