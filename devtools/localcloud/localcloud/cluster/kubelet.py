"""The kubelet of the local cluster, which runs pods as processes on this machine.

It runs the pods of Ray, of Jobs and of Envoy on the node that the scheduler chose
for them, with their own command, environment, volumes, probes and preStop hooks.
kwok handles the other pods. Of an image only its program and release count
(images.py, ray_environments.py). Not supported are resource limits, networks,
users, read-only file systems, other hooks, startup probes and sidecar init
containers.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import aiohttp

from localcloud.cluster.control_plane import REAL_POD_LABELS
from localcloud.cluster.images import runs_envoy
from localcloud.cluster.kubernetes_api import ApiError, KubernetesApi, Object, Store
from localcloud.cluster.machine import Machine
from localcloud.cluster.pod import Pod
from localcloud.cluster.pod_network import PodNetwork


class Kubelet:
    """Starts a pod's processes when it is bound to a node and ends them when it is deleted."""

    def __init__(self, api: KubernetesApi, network: PodNetwork, machine: Machine):
        self.api = api
        self.network = network
        self.machine = machine
        self.pods: dict[str, Pod] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.store = Store(api, "/api/v1/pods")
        self.store.listeners.append(self._changed)

    async def run(self) -> None:
        """Follow the pods until cancelled, then end all of their processes."""
        try:
            await self.store.run()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _changed(self, event: str, obj: Object) -> None:
        metadata = obj["metadata"]
        labels = metadata.get("labels", {})
        if not any(label in labels for label in REAL_POD_LABELS) and not runs_envoy(obj):
            return
        pod = self.pods.get(metadata["uid"])
        if pod is None:
            finished = obj.get("status", {}).get("phase") in ("Succeeded", "Failed")
            if event == "DELETED" or not obj["spec"].get("nodeName"):
                return
            if metadata.get("deletionTimestamp") or finished:
                if metadata.get("deletionTimestamp"):
                    self._spawn(self._forget(obj))
                return
            pod = Pod(self.api, self.network, self.machine, obj)
            self.pods[metadata["uid"]] = pod
            self._spawn(self._live(pod))
        elif event == "DELETED" or metadata.get("deletionTimestamp"):
            pod.stop(force=event == "DELETED")
        elif pod.was_overruled(obj):
            self._spawn(pod.report_again())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live(self, pod: Pod) -> None:
        try:
            await pod.run()
        finally:
            self.pods.pop(pod.uid, None)
            self.network.leave(pod.uid)
        await self._forget(pod.obj)

    async def _forget(self, obj: Object) -> None:
        """Report a deleted pod as gone; retries for as long as the API server is down."""
        metadata = obj["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        while True:
            try:
                return await self.api.delete(path, grace_seconds=0)
            except (ApiError, aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(2)
