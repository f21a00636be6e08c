"""A stack deployed to the local cluster, and the resources and processes that it has there."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from localcloud.cluster.cluster_cloud import ClusterCloud
from localcloud.store import CHECKOUT, HOME_VARIABLE
from localcloud.testing.running_cluster import eventually
from reports.plan_data import PlanSummary
from reports.plan_reading import summary_of_json
from tests.cluster.running import Cluster
from tests.engine.deployments import SECRETS, TOKEN, Deployment

if TYPE_CHECKING:
    import subprocess

NAMESPACE = "/api/v1/namespaces/ai"
RAY = "/apis/ray.io/v1/namespaces/ai"
RAY_SERVICE = f"{RAY}/rayservices/llm-serving"
ALWAYS_THERE = {"default", "kube-node-lease", "kube-public", "kube-system"}


class ClusterDeployment(Deployment):
    """One stack of the program on the local cluster, by Pulumi's own Kubernetes provider."""

    def __init__(
        self, folder: Path, stack: str, config: Mapping[str, Any], cluster: Cluster
    ) -> None:
        self.cluster = cluster
        cloud = ClusterCloud(
            cluster.state, engine_cache=CHECKOUT / ".localcloud", token=TOKEN, secret_cache=SECRETS
        )
        super().__init__(folder, stack, config, cloud)

    def plan(self) -> PlanSummary:
        """The plan that the stack exports."""
        done = self.pulumi("stack", "output", "plan", "--json")
        assert done.returncode == 0, done.stderr
        return summary_of_json(done.stdout, "stack output plan")

    def settled(self) -> None:
        """Assert that another preview would change nothing."""
        done = self.pulumi("preview", "--expect-no-changes")
        assert done.returncode == 0, done.stdout + done.stderr

    def destroy(self) -> None:
        done = self.pulumi("destroy", "--skip-preview")
        assert done.returncode == 0, done.stdout + done.stderr

    def start_up(self) -> "subprocess.Popen[str]":
        """Start an `up` for a test to interrupt."""
        return self.project.start("up", "--skip-preview", "--stack", self.stack)

    def serve_config(self, model: str) -> dict[str, Any]:
        """The LLM config with which Ray Serve runs a model."""
        application = self.cluster.models()[model]
        config: dict[str, Any] = application["deployed_app_config"]["args"]["llm_configs"][0]
        return config

    def ray_clusters(self) -> list[str]:
        """The uids of all Ray clusters; a second cluster would take the GPUs twice."""
        return [item["metadata"]["uid"] for item in self.cluster.items(f"{RAY}/rayclusters")]

    def processes(self) -> list[psutil.Process]:
        """Pulumi's processes for this cluster."""
        home = {HOME_VARIABLE: str(self.cloud.home)}.items()
        found = []
        for process in psutil.process_iter(["name"]):
            with contextlib.suppress(psutil.Error):
                if home <= process.environ().items():
                    found.append(process)
        return found

    def end_updates(self) -> None:
        """Kill an update that a failed test left: later tests would find the stack locked."""
        left = self.processes()
        if any(process.info["name"] == "pulumi" for process in left):
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, timeout=10)
            self.pulumi("cancel", "--yes")

    def assert_answers(self, *models: str) -> None:
        for model in models:
            assert self.cluster.chat(model, model, "hello") == (200, f"{model}: hello")

    def assert_nothing_left(self) -> None:
        """Assert that nothing is left in the cluster, at Google or in the state."""
        cluster = self.cluster
        assert cluster.items("/api/v1/pods") == []
        # The machines are removed a moment after their pools.
        eventually(lambda: not cluster.items("/api/v1/nodes"), "no node is left", seconds=15)
        names = {item["metadata"]["name"] for item in cluster.items("/api/v1/namespaces")}
        assert names == ALWAYS_THERE
        assert cluster.items("/apis/cloud.google.com/v1/computeclasses") == []
        assert self.existing() == set()
        assert self.state() == []


def end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wait for a command; returns its exit code and all of its output."""
    output, errors = process.communicate(timeout=600)
    return process.returncode, output + errors


def kill_engine(process: "subprocess.Popen[str]") -> bool:
    """Kill a command with SIGKILL; returns whether it was still running."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def kill(cluster: Cluster, name: str) -> None:
    """Kill the cluster's program or Ray process with this name."""
    found = _named(cluster, name)
    assert found, f"no process {name}"
    for process in found:
        process.kill()


def running(cluster: Cluster, *names: str) -> set[psutil.Process]:
    """The cluster's processes with these names; asserts that each runs."""
    found = [_named(cluster, name) for name in names]
    assert all(found), names
    return set().union(*found)


def _named(cluster: Cluster, name: str) -> list[psutil.Process]:
    found = []
    for process in cluster.processes():
        with contextlib.suppress(psutil.Error, OSError):
            if process.name() == name or name in (process.cmdline() or [""])[0]:
                found.append(process)
    return found


@contextlib.contextmanager
def kept_down(cluster: Cluster, name: str) -> Iterator[None]:
    """Kill a program repeatedly while the body runs; the cluster restarts it each time."""
    ended = threading.Event()

    def again() -> None:
        while not ended.is_set():
            for process in _named(cluster, name):
                with contextlib.suppress(psutil.Error):
                    process.kill()
            ended.wait(0.5)

    thread = threading.Thread(target=again, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def wait_until_up(cluster: Cluster, seconds: float = 90) -> None:
    """Wait until the API server answers again, also for KubeRay's resources.

    It reports ready before it has loaded the custom resource definitions.
    """

    def answers() -> bool:
        return bool(cluster.get("/readyz") == "ok" and cluster.get(RAY_SERVICE))

    eventually(answers, "the API server is back", seconds=seconds)
