"""A running cluster with the product's service, as tests use it."""

import json
import urllib.error
import urllib.request
from typing import Any

import psutil

from localcloud.cluster.cluster_state import ClusterState
from localcloud.cluster.kubernetes_api import Object
from localcloud.testing.running_cluster import RunningCluster
from manifests.smoke_test.script.serve_api import by_model

# The product's name of the serving Service, as a pod of the cluster uses it.
SERVICE_URL = "http://llm-serving-serve-svc.ai:8000"


class Cluster(RunningCluster):
    """The running cluster, with requests to the product's service."""

    def __init__(self, state: ClusterState):
        super().__init__(state)
        self._openers = {
            by_name: urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
            for by_name, proxies in ((True, {"http": state.proxy}), (False, {}))
        }

    def ray_pods(self, group: str) -> list[Object]:
        return self.items(f"/api/v1/namespaces/ai/pods?labelSelector=ray.io/group%3D{group}")

    def http(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        timeout: float = 30,
        by_name: bool = False,
    ) -> tuple[int, str]:
        """Send a request to the serving Service; returns status and text, also of an error.

        With `by_name` any pod of the Service answers, as for a pod of the cluster; otherwise one
        pod answers, as through a port-forward.
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
        """Status, and the text of the answer or of the error."""
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        path = f"/{app}/v1/chat/completions"
        status, answer = self.http(path, body, timeout=timeout, by_name=by_name)
        if status != 200:
            return status, answer
        return status, json.loads(answer)["choices"][0]["message"]["content"]

    def engine_pods(self, model: str) -> list[Object]:
        """The pods in which Ray Serve says that a model's engines run."""
        return self.replica_pods(model, "LLMServer")

    def replica_pods(self, model: str, deployment_prefix: str) -> list[Object]:
        """The pods with replicas of those deployments of a model whose names have this prefix.

        Raises KeyError for a model that Serve does not have and a replica that runs in no pod.
        """
        replicas = [
            replica
            for name, deployment in self.models()[model]["deployments"].items()
            if name.startswith(deployment_prefix)
            for replica in deployment["replicas"]
            if replica["state"] == "RUNNING"
        ]
        hosts = {psutil.Process(replica["pid"]).environ()["HOSTNAME"] for replica in replicas}
        pods = {pod["metadata"]["name"]: pod for pod in self.items("/api/v1/namespaces/ai/pods")}
        return [pods[host] for host in hosts]

    def models(self) -> dict[str, Any]:
        """Ray Serve's view of the application that has each model's route, by the model's name.

        The name of an application holds its version. One that is being removed is left out.
        """
        return by_model(self.serve())

    def applications(self) -> dict[str, Any]:
        """Ray Serve's own view of its applications, by their own names."""
        found: dict[str, Any] = self.serve()["applications"]
        return found

    def serves_quietly(self) -> bool:
        """Whether every application and each of its replicas runs, and none comes or goes."""
        return all(
            application["status"] == "RUNNING"
            and all(
                replica["state"] == "RUNNING"
                for deployment in application["deployments"].values()
                for replica in deployment["replicas"]
            )
            for application in self.applications().values()
        )

    def serve(self) -> dict[str, Any]:
        """Ray Serve's own view of itself."""
        with urllib.request.urlopen(
            f"{self.state.dashboard}/api/serve/applications/", timeout=10
        ) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found
