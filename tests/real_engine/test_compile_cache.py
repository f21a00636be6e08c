"""A real vLLM finds on a new worker what an earlier one has compiled.

Real: vLLM, its compiler and its keys for what was compiled, Ray, KubeRay, the scheduler and the
binding of the claim. On the CPU vLLM keeps what Inductor compiles, and measures no GPU's memory, so
that nothing is seen here of graphs for a GPU and of the memory that it remembers. A folder stands
for the volume: nothing is shown of a network's file system, its locks and its permissions.
"""

from pathlib import Path

import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster.deployed import ClusterDeployment
from tests.cluster.running import Cluster
from tests.real_engine.stacks import ASLEEP, CACHE

pytestmark = pytest.mark.real_engine

NAME, POOL = ASLEEP["name"], ASLEEP["gpu"]
WAKE_SECONDS = 400


def compiled(folder: Path) -> set[str]:
    """The libraries that vLLM's compiler has left."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*.so")}


def test_an_engine_on_a_new_worker_compiles_nothing_anew(
    deployment: ClusterDeployment, cluster: Cluster, figures: Figures
) -> None:
    def asleep() -> bool:
        return not cluster.ray_pods(POOL) and not cluster.nodes(POOL)

    def wake(when: str) -> str:
        with figures.timed(f"compile cache: a model at zero, to its answer, {when}"):
            status, _ = cluster.chat(NAME, NAME, "Hi", timeout=WAKE_SECONDS)
        assert status == 200
        [pod] = cluster.ray_pods(POOL)
        return str(pod["metadata"]["name"])

    folder = cluster.state.claims / "ai" / CACHE
    eventually(asleep, "the model and its node are gone", seconds=120)
    before = len(compiled(folder)) if folder.exists() else 0
    first = wake(f"with {before} compiled libraries there")
    kept = compiled(folder)
    assert kept
    eventually(asleep, "the model and its node are gone", seconds=120)
    second = wake(f"with {len(kept)} compiled libraries there")
    assert second != first
    assert compiled(folder) == kept
