"""A running cluster as tests see it."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import psutil
import yaml

from localcloud.cluster import processes
from localcloud.cluster.kubernetes_api import ApiError, Credentials, KubernetesApi, Object
from localcloud.cluster.state import ClusterState

T = TypeVar("T")


def eventually(ask: Callable[[], T | None], what: str, *, seconds: float) -> T:
    """The first true answer within so many seconds; an error of `ask` counts as no answer."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = ask()
            if last:
                return last
        except (OSError, LookupError, ApiError, aiohttp.ClientError) as error:
            last = error
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds:.0f} s: {what} (last: {last!r})")


class Cluster:
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

    def get(self, path: str) -> Any:
        return self.api(lambda api: api.get(path))

    def items(self, path: str) -> list[Object]:
        found: list[Object] = self.get(path)["items"]
        return found

    def delete(self, path: str) -> None:
        self.api(lambda api: api.delete(path))

    def ray_pods(self, group: str) -> list[Object]:
        return self.items(f"/api/v1/namespaces/ai/pods?labelSelector=ray.io/group%3D{group}")

    def nodes(self, pool: str) -> list[Object]:
        return self.items(f"/api/v1/nodes?labelSelector=cloud.google.com/gke-nodepool%3D{pool}")

    def node_pool(self, pool: Object) -> None:
        folder = self.state.folder / "node-pools"
        folder.mkdir(exist_ok=True)
        (folder / f"{pool['name']}.json").write_text(json.dumps(pool))

    def engine_faults(self, faults: dict[str, Any]) -> None:
        (self.state.folder / "engine-faults.json").write_text(json.dumps(faults))

    def http(
        self, path: str, body: dict[str, Any] | None = None, *, timeout: float = 30
    ) -> tuple[int, str]:
        """Ask the serving Service as a client would; status and text, whatever they are."""
        request = urllib.request.Request(
            self.state.serve + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def chat(self, app: str, model: str, text: str, *, timeout: float = 30) -> tuple[int, str]:
        """The answer's text, or the error's."""
        messages = [{"role": "user", "content": text}]
        status, answer = self.http(
            f"/{app}/v1/chat/completions", {"model": model, "messages": messages}, timeout=timeout
        )
        if status != 200:
            return status, answer
        return status, json.loads(answer)["choices"][0]["message"]["content"]

    def processes_of(self, pod: Object) -> list[psutil.Process]:
        name = pod["metadata"]["name"]
        return [p for p in processes.marked(self.state.mark) if p.environ().get("HOSTNAME") == name]

    def memory_bytes(self) -> int:
        total = 0
        for process in processes.marked(self.state.mark):
            try:
                full = process.memory_full_info()
                total += getattr(full, "pss", full.rss)
            except psutil.Error:
                continue
        return total
