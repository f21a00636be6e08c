"""A running cluster as tests see it."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import psutil
import yaml

from localcloud.cluster import processes
from localcloud.cluster.cluster_state import ClusterState
from localcloud.cluster.etcd_data import read_definitions
from localcloud.cluster.installation import installed
from localcloud.cluster.kubernetes_api import ApiError, Credentials, KubernetesApi, Object
from localcloud.cluster.node_pools import OUT_OF_STOCK
from localcloud.cluster.start_delays import START_DELAYS

T = TypeVar("T")
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def eventually(ask: Callable[[], T | None], what: str, *, seconds: float) -> T:
    """The first true answer within `seconds`; an error of `ask` counts as no answer."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = ask()
            if last:
                return last
        except (OSError, LookupError, ApiError, aiohttp.ClientError, psutil.Error) as error:
            last = error
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds:.0f} s: {what} (last: {last!r})")


class RunningCluster:
    """A running cluster, as tests see it."""

    def __init__(self, state: ClusterState):
        self.state = state
        config = yaml.safe_load(Path(state.kubeconfig).read_text())
        self.credentials = Credentials(
            state.api_server,
            config["users"][0]["user"]["token"],
            Path(state.kubeconfig).parent / "certs" / "apiserver.crt",
        )

    def api(self, call: Callable[[KubernetesApi], Any]) -> Any:
        """One call of the API client, from synchronous code."""

        async def once() -> Any:
            async with KubernetesApi(self.credentials) as api:
                return await call(api)

        return asyncio.run(once())

    def apply(self, *objects: Object) -> None:
        async def each(api: KubernetesApi) -> None:
            for obj in objects:
                await api.apply(obj)

        self.api(each)

    def install_kuberay(self) -> None:
        """Install KubeRay's CRDs again if a stack that installed its own has removed them."""
        if not self.kuberay_definitions():
            self.apply(*read_definitions(installed().crds))

    def kuberay_definitions(self) -> list[Object]:
        """KubeRay's CRDs; those that GKE has by itself are left out."""
        return [item for item in self.items(DEFINITIONS) if item["spec"]["group"] == "ray.io"]

    def get(self, path: str) -> Any:
        return self.api(lambda api: api.get(path))

    def items(self, path: str) -> list[Object]:
        found: list[Object] = self.get(path)["items"]
        return found

    def delete(self, path: str) -> None:
        self.api(lambda api: api.delete(path))

    def nodes(self, pool: str) -> list[Object]:
        return self.items(f"/api/v1/nodes?labelSelector=cloud.google.com/gke-nodepool%3D{pool}")

    def node_pool(self, pool: Object) -> None:
        folder = self.state.folder / "node-pools"
        folder.mkdir(exist_ok=True)
        (folder / f"{pool['name']}.json").write_text(json.dumps(pool))

    def out_of_stock(self, *pools: str) -> None:
        """Let these node pools get no further node; without any, all get nodes again."""
        (self.state.folder / OUT_OF_STOCK).write_text(json.dumps(pools))

    def start_delays(self, *, node: float = 0, image: float = 0) -> None:
        """Let further nodes, and further pulls of an image on a node, take so many seconds."""
        (self.state.folder / START_DELAYS).write_text(json.dumps({"node": node, "image": image}))

    def engine_faults(self, faults: dict[str, Any]) -> None:
        (self.state.folder / "engine-faults.json").write_text(json.dumps(faults))

    @contextlib.contextmanager
    def hub(self, endpoint: str) -> Iterator[None]:
        """Let the pods of Jobs download models from this hub while the body runs."""
        file = self.state.folder / "hub.json"
        file.write_text(json.dumps({"endpoint": endpoint}))
        try:
            yield
        finally:
            file.unlink()

    def bucket(self, name: str) -> Path:
        """The folder with a bucket's objects; there is none if the bucket does not exist."""
        return self.state.buckets / name

    def processes(self) -> list[psutil.Process]:
        """Everything that the cluster runs."""
        return processes.marked(self.state.mark)

    def processes_of(self, pod: Object) -> list[psutil.Process]:
        return processes.marked(self.state.mark, HOSTNAME=pod["metadata"]["name"])

    def memory_bytes(self) -> int:
        total = 0
        for process in self.processes():
            try:
                full = process.memory_full_info()
                total += getattr(full, "pss", full.rss)
            except psutil.Error:
                continue
        return total

    def patch(self, path: str, body: Object, manager: str) -> Any:
        """Send a merge patch as `kubectl edit` does, under another field manager's name."""
        return self.api(
            lambda api: api.request(
                "PATCH",
                path,
                body,
                content_type="application/merge-patch+json",
                params={"fieldManager": manager},
            )
        )
