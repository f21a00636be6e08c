"""An `up` whose engine is killed at a random moment: the next one makes it good."""

import random
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.deployed import kill_engine
from tests.cluster.figures import Figures
from tests.cluster.load import Load
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("small")]

SEEDS = range(20)
# About what such an `up` takes: some kills come too late, and that up has to have succeeded.
LATEST_KILL_SECONDS = 12.0


@pytest.fixture(scope="module")
def load(deployed_service: Service, figures: Figures) -> Iterator[Load]:
    """Requests through all of it."""
    with Load(deployed_service.cluster, ("steady", "other"), per_second=2) as load:
        yield load
    figures.add(f"engine killed at {len(SEEDS)} random moments: requests", load.summary())


def some_edit(chance: random.Random, config: dict[str, Any]) -> dict[str, Any]:
    """A stack file with a third model, in some form, and perhaps another size of a pool."""
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


@pytest.mark.parametrize("seed", SEEDS)
def test_the_next_up_repairs_what_a_killed_one_left(
    seed: int, deployed_service: Service, load: Load
) -> None:
    service, chance = deployed_service, random.Random(seed)
    clusters = service.deployment.ray_clusters()
    process = service.write(some_edit(chance, service.base)).start_up()
    with_seconds = chance.uniform(0, LATEST_KILL_SECONDS)
    try:
        process.wait(with_seconds)
    except subprocess.TimeoutExpired:
        assert kill_engine(process)
        # The killed engine could not give back its lock; that is for a person to decide.
        assert service.deployment.pulumi("cancel").returncode == 0
    else:
        assert process.returncode == 0, process.communicate()
    service.deployment.must_up()
    service.assert_whole()
    assert service.deployment.ray_clusters() == clusters
    assert load.lost == []


def test_no_process_of_a_killed_engine_is_left(deployed_service: Service) -> None:
    time.sleep(1)
    assert deployed_service.deployment.processes() == []
    deployed_service.restore()
