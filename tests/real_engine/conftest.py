"""One cluster whose engine is a real vLLM, with two models of the tiny checkpoint."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.cluster import processes
from localcloud.cluster.lifecycle import down, up
from localcloud.testing.figures import Figures
from tests.cluster.deployed import ClusterDeployment
from tests.cluster.running import Cluster
from tests.real_engine.stacks import RAY, real_stack

# The engine of these tests, as `make cluster-up ARGS="--engine vllm"` chooses it.
ENGINE = "vllm"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record", action="store_true", help="write what vLLM does into the files of answers"
    )


@pytest.fixture(scope="session")
def recording(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--record"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, figures: Figures) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("cluster-home")
    with figures.timed("cluster start, once built"):
        state = up(
            home,
            serve_port=0,
            dashboard_port=0,
            owner=os.getpid(),
            releases=[RAY],
            engine=ENGINE,
        )
    try:
        running = Cluster(state)
        with figures.peak_memory("peak memory of a cluster and its stack", running.memory_bytes):
            yield running
    finally:
        down(home)
        assert processes.marked(state.mark) == []


@pytest.fixture(scope="session")
def deployment(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, figures: Figures
) -> Iterator[ClusterDeployment]:
    config: dict[str, Any] = real_stack()
    deployed = ClusterDeployment(tmp_path_factory.mktemp("real"), "real", config, cluster)
    with figures.timed("real engine: first up to an answer of the model that runs"):
        deployed.must_up()
    yield deployed
    if deployed.state():
        deployed.destroy()
