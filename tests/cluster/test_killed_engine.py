"""An `up` whose engine is killed at a random moment: the next `up` repairs it."""

import random
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster.deployed import kill_engine
from tests.cluster.load import Load
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY
from tests.cluster.stage import Stage

pytestmark = pytest.mark.cluster

ROUNDS = 5
KILLS = 4
# About the duration of such an `up`. If a kill comes too late, the up must have succeeded.
LATEST_KILL_SECONDS = 8.0


@pytest.fixture(scope="module")
def load(stage: Stage, figures: Figures) -> Iterator[Load]:
    """Requests during all kills and repairs."""
    stage.small_service()
    with Load(stage.cluster, ("steady", "other"), per_second=2) as load:
        yield load
    figures.add("engine killed at random moments: requests", load.summary())


def some_edit(chance: random.Random, config: dict[str, Any]) -> dict[str, Any]:
    """A stack file with a random third model and perhaps another size of a pool."""
    third = {
        "model": chance.choice(["qwen2.5-0.5b-instruct", "qwen2.5-1.5b-instruct"]),
        "name": chance.choice(["third", "fourth"]),
        "gpu": "t4",
        "contextLength": chance.choice([1024, 2048, 4096]),
        "replicas": {"min": chance.choice([0, 1]), "max": 2},
    }
    pools = [{**pool} for pool in config["ray-llm:gpuPools"]]
    pools[0]["maxNodes"] = chance.choice([4, 5, 6])
    models = [STEADY, OTHER, third] if chance.random() < 0.8 else [STEADY, OTHER]
    return {**config, "ray-llm:gpuPools": pools, "ray-llm:models": models}


def kill_an_up(service: Service, chance: random.Random) -> None:
    """Start an `up` of a random edit and kill its engine, unless it has already ended."""
    process = service.write(some_edit(chance, service.base)).start_up()
    try:
        process.wait(chance.uniform(0, LATEST_KILL_SECONDS))
    except subprocess.TimeoutExpired:
        assert kill_engine(process)
        # The killed engine could not release its lock; a person has to release it.
        assert service.deployment.pulumi("cancel").returncode == 0
    else:
        assert process.returncode == 0, process.communicate()


@pytest.mark.parametrize(
    "number", [0, 1, *(pytest.param(n, marks=pytest.mark.thorough) for n in range(2, ROUNDS))]
)
def test_the_next_up_repairs_what_killed_ones_left(
    number: int, deployed_service: Service, load: Load
) -> None:
    """Each kill interrupts another edit, in the state that the previous kill left."""
    service = deployed_service
    clusters = service.deployment.ray_clusters()
    for seed in range(number * KILLS, (number + 1) * KILLS):
        kill_an_up(service, random.Random(seed))
        assert service.deployment.ray_clusters() == clusters, seed
        assert load.lost == [], seed
    service.deployment.must_up()
    service.assert_whole()
    assert service.deployment.ray_clusters() == clusters
    assert load.lost == []


def test_no_process_of_a_killed_engine_is_left(deployed_service: Service) -> None:
    deployment = deployed_service.deployment
    eventually(lambda: not deployment.processes(), "all plugins have ended", seconds=10)
