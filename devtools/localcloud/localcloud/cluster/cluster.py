"""The local cluster as a whole: what is started, in which order, and its health.

One supervisor process starts everything and keeps it running. It contains this
project's own parts: the proxy, the kubelet and the node pools. A program that
ends by itself is started again; when the supervisor ends, everything ends.
"""

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import trustme

from localcloud import forks
from localcloud.cluster import processes
from localcloud.cluster.buckets import Buckets
from localcloud.cluster.control_plane import ControlPlane, write_stages
from localcloud.cluster.gke_endpoint import GkeEndpoint
from localcloud.cluster.gke_pools import recorded_pools
from localcloud.cluster.kubelet import Kubelet
from localcloud.cluster.kubernetes_api import ApiError, KubernetesApi, is_ready
from localcloud.cluster.machine import Machine
from localcloud.cluster.node_pools import NodePools
from localcloud.cluster.pod_network import PodNetwork
from localcloud.cluster.pod_tunnel import PodTunnel, write_egress_selection
from localcloud.cluster.ports import free_port
from localcloud.cluster.proxy import Proxy
from localcloud.cluster.ray_environments import RayEnvironment
from localcloud.cluster.ray_node import fork_server_command
from localcloud.cluster.real_engine.hub import Hub
from localcloud.cluster.service_forwards import ServiceForwards
from localcloud.cluster.start_delays import START_DELAYS, NodeImages
from localcloud.github import answering
from localcloud.tunnel_proxy import TunnelProxy

START_TIMEOUT_SECONDS = 120
# A program that fails this many times in a row, seconds after its start, will not recover.
QUICK_FAILURES = 3
API_SERVER = "kube-apiserver"
# The programs that watch the API server, in the order in which they are started.
CLIENTS = ("kwok", "kube-controller-manager", "kube-scheduler", "kuberay-operator")
Report = Callable[[str], None]


class ClusterError(Exception):
    """The cluster cannot start or continue; the message says why and what to do."""


@dataclass(frozen=True)
class Installation:
    """The programs and data that were built and installed beforehand."""

    binaries: Path
    crds: Path
    etcd_data: Path
    cache: Path
    stages: Path
    provider: Path
    ray: tuple[RayEnvironment, ...]


@dataclass(frozen=True)
class Settings:
    """The folders and ports of one cluster."""

    folder: Path
    serve_port: int
    dashboard_port: int
    mark: str
    temp: Path

    @property
    def logs(self) -> Path:
        """The folder of the logs, one file for each program and each container."""
        return self.folder / "logs"

    @property
    def node_pools(self) -> Path:
        """The folder with one JSON file per node pool; see node_pools.py."""
        return self.folder / "node-pools"

    @property
    def stacks(self) -> Path:
        """Google's records and Pulumi's state of the stacks deployed to this cluster."""
        return self.folder / "stacks"

    @property
    def buckets(self) -> Path:
        """One folder per bucket of Cloud Storage; see buckets.py."""
        return self.folder / "buckets"

    @property
    def claims(self) -> Path:
        """One folder per PersistentVolumeClaim that a pod has mounted; see volumes.py."""
        return self.folder / "claims"

    @property
    def hub(self) -> Path:
        """The file that names a hub for the pods of Jobs; see pod.py."""
        return self.folder / "hub.json"

    @property
    def hub_faults(self) -> Path:
        """The file that makes repositories fail; see real_engine/hub.py."""
        return self.folder / "hub-faults.json"

    @property
    def engine_faults(self) -> Path:
        """The file that makes engines fail or slow down; see ray/standins/echo_engine.py."""
        return self.folder / "engine-faults.json"


class LocalCluster:
    """Starts the cluster and keeps it running until it is stopped."""

    def __init__(self, settings: Settings, installation: Installation, report: Report):
        self.settings = settings
        self.installation = installation
        self.report = report
        self.plane = ControlPlane.create(installation.binaries, settings.folder / "control-plane")
        self.proxy_port = free_port()
        self.github_port = free_port()
        self.hub_port = free_port()
        self.stopping = asyncio.Event()
        self.failure: BaseException | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._to_start_anew: set[str] = set()
        self._stack = contextlib.AsyncExitStack()
        self.api: KubernetesApi

    async def start(self) -> None:
        """Start everything and return when all parts are healthy. Raises ClusterError."""
        plane = self.plane
        self.report("etcd and the API server")
        await asyncio.to_thread(shutil.copytree, self.installation.etcd_data, plane.etcd_data)
        self._keep_fork_servers()
        self._keep("etcd", plane.etcd())
        egress = write_egress_selection(plane.folder, self.settings.temp / "pods.sock")
        # Its start then takes a quarter less CPU time and 160 MiB more memory.
        self._keep(API_SERVER, plane.api_server(egress), {**os.environ, "GOGC": "400"})
        await self._wait_for(API_SERVER, functools.partial(is_ready, plane.credentials))
        plane.write_kubeconfig()
        self.api = await self._stack.enter_async_context(KubernetesApi(plane.credentials))
        await self._wait_for(API_SERVER, self._api_server_serves)
        self.report("controllers, scheduler and kwok")
        stages = write_stages(self.installation.stages, self.settings.folder / "stages.yaml")
        self._keep("kwok", plane.kwok(stages))
        self._keep("kube-controller-manager", plane.controllers())
        self._keep("kube-scheduler", plane.scheduler())
        await self._start_own_parts()
        address = f"http://127.0.0.1:{self.proxy_port}"
        self.report("the KubeRay operator")
        self._keep(
            "kuberay-operator",
            plane.kuberay(),
            {**os.environ, "HTTP_PROXY": address, "http_proxy": address, "NO_PROXY": "127.0.0.1"},
        )
        for name, port, scheme in (
            ("kube-controller-manager", plane.controllers_port, "https"),
            ("kube-scheduler", plane.scheduler_port, "https"),
            ("kwok", plane.kwok_port, "http"),
            ("kuberay-operator", plane.kuberay_port, "http"),
        ):
            await self._wait_for(
                name, functools.partial(self._healthy, f"{scheme}://127.0.0.1:{port}/healthz")
            )
        self._run(self._start_clients_anew_after_outages())

    async def stop(self) -> None:
        """End every process of the cluster, including those of the pods."""
        self.stopping.set()
        # All at once, because processes that end later would wait for those that are gone.
        await asyncio.to_thread(
            processes.stop, processes.marked(self.settings.mark), grace_seconds=1
        )
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()
        await asyncio.to_thread(processes.stop, processes.marked(self.settings.mark))

    async def _start_own_parts(self) -> None:
        network = PodNetwork(self.api)
        forwards = ServiceForwards(self.api, network)
        record = self.settings.stacks / "cloud" / "gcp.json"
        buckets = Buckets(self.settings.buckets, record)
        machine = Machine(
            ray=self.installation.ray,
            forwards=forwards,
            buckets=buckets,
            claims=self.settings.claims,
            images=NodeImages(self.settings.folder / START_DELAYS),
            pods=self.settings.folder / "pods",
            logs=self.settings.logs,
            temp=self.settings.temp,
            faults=self.settings.engine_faults,
            mark=self.settings.mark,
            hub=self.settings.hub,
            hub_port=self.hub_port,
            proxy_port=self.proxy_port,
            api_port=self.plane.api_port,
        )
        kubelet = Kubelet(self.api, network, machine)
        proxy = Proxy(network)
        try:
            await proxy.start(
                self.proxy_port, self.settings.serve_port, self.settings.dashboard_port
            )
        except OSError as error:
            raise ClusterError(str(error)) from None
        self._stack.push_async_callback(proxy.stop)
        tunnel = PodTunnel(network)
        await tunnel.start(self.settings.temp / "pods.sock")
        self._stack.push_async_callback(tunnel.stop)
        for ray in self.installation.ray:
            if ray.hub:
                hub = Hub(ray.model, self.settings.hub_faults)
                await hub.start(self.hub_port)
                self._stack.push_async_callback(hub.stop)
        await self._open_to_stacks()
        pools = NodePools(
            self.api,
            kubelet.store,
            self.settings.node_pools,
            functools.partial(recorded_pools, record),
        )
        for work in (network.services.run(), network.slices.run(), forwards.run()):
            self._run(work)
        for work in (kubelet.run(), pools.run(), buckets.run()):
            self._run(work)

    async def _open_to_stacks(self) -> None:
        """Start what a stack uses: GKE's control plane, and GitHub with KubeRay's files."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.plane.authority))
        endpoint = GkeEndpoint(self.plane.credentials, free_port())
        await endpoint.start(authority, self.plane.endpoint, self.plane.exec_credential)
        self._stack.push_async_callback(endpoint.stop)
        github = TunnelProxy(lambda: authority, answering(self.installation.cache).get)
        await github.start(self.github_port)
        self._stack.push_async_callback(github.stop)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() and self.failure is None:
            self.failure = task.exception()
            self.stopping.set()

    def _keep_fork_servers(self) -> None:
        # Each imports its libraries only at the first request, so one that is not used is small.
        for ray in (each for each in self.installation.ray if each.forks):
            argv, environment = fork_server_command(ray, self.settings.temp)
            self._keep(f"fork-server-{ray.definition.name}", argv, environment)
        self._keep("pulumi-fork-server", *forks.pulumi_server_command(self.settings.temp))

    def _keep(self, name: str, argv: list[str | Path], env: dict[str, str] | None = None) -> None:
        self._run(self._kept(name, argv, env))

    async def _kept(self, name: str, argv: list[str | Path], env: dict[str, str] | None) -> None:
        """Run a program; start it again when it ends by itself."""
        log = self.settings.logs / f"{name}.log"
        failures = 0
        while not self.stopping.is_set():
            started = time.monotonic()
            process = await processes.start(argv, mark=self.settings.mark, log=log, env=env)
            self._running[name] = process
            code = await process.wait()
            if self.stopping.is_set():
                return
            if name in self._to_start_anew:
                self._to_start_anew.remove(name)
            elif code == -signal.SIGKILL:
                await asyncio.sleep(1)  # killed from outside, so not the program's fault
            elif time.monotonic() - started < 5:
                failures += 1
                if failures == QUICK_FAILURES:
                    raise ClusterError(
                        f"{name} ended with code {code} {failures} times in a row; "
                        f"{log} ends with: {processes.last_lines(log)}"
                    )
                await asyncio.sleep(1)
            else:
                failures = 0
            self.report(f"{name} ended with code {code}: started again (see {log})")

    async def _start_clients_anew_after_outages(self) -> None:
        """Restart the programs that watch the API server as soon as it is back.

        By themselves they would reconnect only after a pause of up to half a minute, which grows
        with each outage. On GKE they restart too if they could not renew their leases.
        """
        while True:
            await self._running[API_SERVER].wait()
            while not await self._api_server_serves():
                await asyncio.sleep(0.2)
            for name in CLIENTS:
                client = self._running[name]
                if client.returncode is None:
                    self._to_start_anew.add(name)
                    client.terminate()

    async def _wait_for(self, name: str, ready: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not await ready():
            if time.monotonic() > deadline:
                log = self.settings.logs / f"{name}.log"
                raise ClusterError(
                    f"{name} is not healthy after {START_TIMEOUT_SECONDS} s; "
                    f"{log} ends with: {processes.last_lines(log)}"
                )
            await asyncio.sleep(0.2)

    async def _api_server_serves(self) -> bool:
        """Whether it is ready and knows whether KubeRay's resources are defined."""
        try:
            await self.api.get("/readyz")
            await self.api.get("/apis/ray.io/v1")
        except ApiError as error:
            return error.status == 404  # a stack that installed the CRDs has removed them
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
        return True

    async def _healthy(self, url: str) -> bool:
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
                session.get(url, ssl=False) as answer,
            ):
                return bool(answer.status == 200)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
