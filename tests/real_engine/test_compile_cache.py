"""A real vLLM finds on a new worker what an earlier one has compiled.

Real: vLLM, its compiler and its keys for what was compiled, Ray, KubeRay, the scheduler and the
binding of the claim. On the CPU vLLM keeps what Inductor compiles, and measures no GPU's memory, so
that nothing is seen here of graphs for a GPU and of the memory that it remembers. A folder stands
for the volume: nothing is shown of a network's file system, its locks and its permissions.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster.commands import doctor
from tests.cluster.deployed import ClusterDeployment
from tests.cluster.running import Cluster
from tests.real_engine.stacks import KEEPING, KEEPING_POOL

pytestmark = pytest.mark.real_engine

NAME, POOL, CLAIM = KEEPING["name"], KEEPING["gpu"], KEEPING_POOL["compileCache"]
WAKE_SECONDS = 400


def volume(name: str) -> Iterator[dict[str, Any]]:
    """A volume that many nodes may write, and the claim that is bound to it."""
    spec = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "volumeMode": "Filesystem",
    }
    yield {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            **spec,
            "capacity": {"storage": "100Gi"},
            "nfs": {"server": "127.0.0.1", "path": "/"},
        },
    }
    yield {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "ai"},
        "spec": {**spec, "volumeName": name, "resources": {"requests": {"storage": "100Gi"}}},
    }


def compiled(folder: Path) -> set[str]:
    """The libraries that vLLM's compiler has left."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*.so")}


def wake(cluster: Cluster) -> None:
    status, _ = cluster.chat(NAME, NAME, "Hi", timeout=WAKE_SECONDS)
    assert status == 200


def worker(cluster: Cluster) -> str:
    [pod] = cluster.ray_pods(POOL)
    return str(pod["metadata"]["name"])


def await_sleep(cluster: Cluster) -> None:
    eventually(
        lambda: not cluster.ray_pods(POOL) and not cluster.nodes(POOL),
        "the model and its node are gone",
        seconds=180,
    )


def test_a_worker_waits_for_a_claim_that_is_not_there(
    deployment: ClusterDeployment, cluster: Cluster, figures: Figures
) -> None:
    """What the scheduler says of it is what `doctor` reads."""
    waiting = threading.Thread(target=wake, args=(cluster,))
    waiting.start()

    def finding() -> dict[str, Any] | None:
        _, found = doctor(deployment)
        return found.get("volume-claim")

    said = eventually(finding, "the doctor names the claim", seconds=120)
    assert f'persistentvolumeclaim "{CLAIM}" not found' in said["why"]
    assert said["mend"]["path"] == "ray-llm:gpuPools[3].compileCache"
    cluster.apply(*volume(CLAIM))
    with figures.timed("compile cache: from the claim to a first answer"):
        waiting.join(WAKE_SECONDS)
    assert not waiting.is_alive()


def test_an_engine_on_a_new_worker_compiles_nothing_anew(
    deployment: ClusterDeployment, cluster: Cluster, figures: Figures
) -> None:
    folder = cluster.state.claims / "ai" / CLAIM
    first, kept = worker(cluster), compiled(folder)
    assert kept
    await_sleep(cluster)
    with figures.timed("compile cache: a model at zero, to its answer on another node"):
        wake(cluster)
    assert worker(cluster) != first
    assert compiled(folder) == kept
