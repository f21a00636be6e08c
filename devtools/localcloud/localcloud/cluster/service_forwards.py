"""Addresses of Services on this machine, behind which connections go to pods that are ready.

A Service that an Envoy asks, and each Service of type LoadBalancer, gets an address of
127.65.0.0/16 with its own ports. Like kube-proxy, it chooses a pod for each connection and refuses
connections while no pod is ready. As on GKE, the Service's status has the address of a load
balancer. Ports below 1024 take the right to listen on them; without it only the name answers.
"""

import asyncio
import contextlib
import itertools
import random

import aiohttp

from localcloud.cluster.kubernetes_api import ApiError, KubernetesApi, Object
from localcloud.cluster.pod_network import PodNetwork
from localcloud.tunnel_proxy import pipe

PERIOD_SECONDS = 0.1


class ServiceForwards:
    """Listens for Services and passes on their connections."""

    def __init__(self, api: KubernetesApi, network: PodNetwork):
        self.api = api
        self.network = network
        self._addresses: dict[tuple[str, str], str] = {}
        self._numbers = itertools.count(1)
        self._servers: dict[tuple[str, str, int], asyncio.Server | None] = {}
        self._connections: set[asyncio.Task[None]] = set()

    def address(self, namespace: str, name: str) -> str:
        """The address of a Service, which need not exist yet."""
        if (namespace, name) not in self._addresses:
            number = next(self._numbers)
            self._addresses[namespace, name] = f"127.65.{number // 254}.{number % 254 + 1}"
        return self._addresses[namespace, name]

    async def run(self) -> None:
        """Follow the Services until cancelled."""
        try:
            while True:
                for key, service in list(self.network.services.objects.items()):
                    if service["spec"].get("type") == "LoadBalancer":
                        await self._report(service, self.address(*key))
                for key, address in list(self._addresses.items()):
                    await self._follow(key, address)
                await asyncio.sleep(PERIOD_SECONDS)
        finally:
            for server in self._servers.values():
                if server:
                    server.close()
            for connection in self._connections:
                connection.cancel()

    async def _follow(self, key: tuple[str, str], address: str) -> None:
        """Listen on the ports of a Service for which pods are ready, and on no others."""
        service = self.network.services.objects.get(key)
        wanted = {port["port"] for port in service["spec"].get("ports", [])} if service else set()
        listening = {port for *other, port in self._servers if tuple(other) == key}
        for port in wanted | listening:
            ready = port in wanted and bool(self._pods(key, port))
            if ready and (*key, port) not in self._servers:
                self._servers[*key, port] = await self._listen(key, address, port)
            elif not ready and (server := self._servers.pop((*key, port), None)):
                server.close()

    async def _listen(self, key: tuple[str, str], address: str, port: int) -> asyncio.Server | None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
            await self._pass_on(key, port, reader, writer)

        try:
            return await asyncio.start_server(connected, address, port)
        except OSError:
            return None  # no right to this port; as if there was no load balancer

    async def _pass_on(
        self,
        key: tuple[str, str],
        port: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            pods = self._pods(key, port)
            if not pods:
                writer.transport.abort()
                return
            there = random.choice(pods)  # noqa: S311 - not a secret
            try:
                inner_reader, inner_writer = await asyncio.open_connection(*there)
            except OSError:
                writer.transport.abort()
                return
            with contextlib.closing(inner_writer):
                await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))

    def _pods(self, key: tuple[str, str], port: int) -> list[tuple[str, int]]:
        namespace, name = key
        return self.network.resolve_all(f"{name}.{namespace}", port)

    async def _report(self, service: Object, address: str) -> None:
        if service.get("status", {}).get("loadBalancer", {}).get("ingress"):
            return
        metadata = service["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
        with contextlib.suppress(ApiError, aiohttp.ClientError, TimeoutError):
            await self.api.patch_status(path, {"loadBalancer": {"ingress": [{"ip": address}]}})
