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
from localcloud.cluster.etcd_data import read_definitions
from localcloud.cluster.installation import installed
from localcloud.cluster.kubernetes_api import ApiError, Credentials, KubernetesApi, Object
from localcloud.cluster.state import ClusterState

T = TypeVar("T")
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
# What the product calls the Service that answers, as a pod of the cluster sees it.
SERVICE_URL = "http://llm-serving-serve-svc.ai:8000"


def eventually(ask: Callable[[], T | None], what: str, *, seconds: float) -> T:
    """The first true answer within so many seconds; an error of `ask` counts as no answer."""
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
        self._openers = {
            by_name: urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
            for by_name, proxies in ((True, {"http": state.proxy}), (False, {}))
        }

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
        """KubeRay's resource definitions, where a stack that brought its own took them with it."""
        if not self.items(DEFINITIONS):
            self.apply(*read_definitions(installed().crds))

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
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        timeout: float = 30,
        by_name: bool = False,
    ) -> tuple[int, str]:
        """Ask the serving Service as a client would; status and text, whatever they are.

        `by_name`: as a pod would, whichever pod of the Service answers; else as through a
        port-forward.
        """
        base = SERVICE_URL if by_name else self.state.serve
        request = urllib.request.Request(
            base + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with self._openers[by_name].open(request, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def chat(
        self, app: str, model: str, text: str, *, timeout: float = 30, by_name: bool = False
    ) -> tuple[int, str]:
        """The answer's text, or the error's."""
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        path = f"/{app}/v1/chat/completions"
        status, answer = self.http(path, body, timeout=timeout, by_name=by_name)
        if status != 200:
            return status, answer
        return status, json.loads(answer)["choices"][0]["message"]["content"]

    def processes(self) -> list[psutil.Process]:
        """Everything that the cluster runs."""
        return processes.marked(self.state.mark)

    def processes_of(self, pod: Object) -> list[psutil.Process]:
        return processes.marked(self.state.mark, HOSTNAME=pod["metadata"]["name"])

    def engine_pods(self, model: str) -> list[Object]:
        """The pods in which a model's engines run, as Ray Serve tells."""
        return self.replica_pods(model, "LLMServer")

    def replica_pods(self, model: str, deployment_prefix: str) -> list[Object]:
        """The pods in which replicas of a model's deployments of such a name run.

        Raises KeyError for a replica that runs in no pod.
        """
        replicas = [
            replica
            for name, deployment in self.applications()[model]["deployments"].items()
            if name.startswith(deployment_prefix)
            for replica in deployment["replicas"]
            if replica["state"] == "RUNNING"
        ]
        hosts = {psutil.Process(replica["pid"]).environ()["HOSTNAME"] for replica in replicas}
        pods = {pod["metadata"]["name"]: pod for pod in self.items("/api/v1/namespaces/ai/pods")}
        return [pods[host] for host in hosts]

    def memory_bytes(self) -> int:
        total = 0
        for process in self.processes():
            try:
                full = process.memory_full_info()
                total += getattr(full, "pss", full.rss)
            except psutil.Error:
                continue
        return total

    def applications(self) -> dict[str, Any]:
        """Ray Serve's own view of its applications."""
        with urllib.request.urlopen(
            f"{self.state.dashboard}/api/serve/applications/", timeout=10
        ) as answer:
            found: dict[str, Any] = json.loads(answer.read())["applications"]
            return found

    def patch(self, path: str, body: Object, manager: str) -> Any:
        """A merge patch, as `kubectl edit` sends it, under another field manager's name."""
        return self.api(
            lambda api: api.request(
                "PATCH",
                path,
                body,
                content_type="application/merge-patch+json",
                params={"fieldManager": manager},
            )
        )
