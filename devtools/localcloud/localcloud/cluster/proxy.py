"""The ways into the cluster: a forwarding proxy and two fixed ports.

The operator, jobs and users connect through the proxy (HTTP_PROXY): it forwards
a request for a Service or a pod address to the local port that it is mapped to.
The fixed ports lead to the serving Service and to the dashboard, as a
port-forward does.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from localcloud.cluster.forwarding import forward
from localcloud.cluster.pod_network import Place, PodNetwork
from localcloud.tunnel_proxy import listen

Target = Callable[[web.BaseRequest], tuple[str, Place | None]]


class Proxy:
    """Forwards HTTP requests to the processes behind pods and Services."""

    def __init__(self, network: PodNetwork):
        self.network = network
        self._runners: list[web.ServerRunner] = []
        self._session: aiohttp.ClientSession | None = None

    async def start(self, proxy_port: int, serve_port: int, dashboard_port: int) -> None:
        """Listen on the three ports of 127.0.0.1."""
        # Request by request: Go reuses one proxy connection for many hosts.
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            # A network waits as long as its client does. What is not there refuses at once, and on
            # a busy machine a limit of seconds would lose requests that no network loses.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        )
        await self._listen(proxy_port, self._named)
        await self._listen(serve_port, lambda _: self._service("-serve-svc", 8000))
        await self._listen(dashboard_port, lambda _: self._service("-head-svc", 8265))

    async def stop(self) -> None:
        """Close the listeners and all connections."""
        for runner in self._runners:
            await runner.cleanup()
        if self._session:
            await self._session.close()

    async def _listen(self, port: int, target: Target) -> None:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            host, place = target(request)
            if place is None:
                return web.Response(status=502, text=f"nothing answers for {host}\n")
            assert self._session
            url = urlsplit(request.raw_path)
            path = url.path + (f"?{url.query}" if url.query else "")
            here = "http://{}:{}".format(*place)
            return await forward(request, self._session, here + path, host)

        self._runners.append(await listen(handle, port))

    def _named(self, request: web.BaseRequest) -> tuple[str, Place | None]:
        # KubeRay requests http://:8000/-/healthz before a head has an address.
        url = urlsplit(request.raw_path)
        authority = url.netloc or request.headers.get("Host", "")
        host, _, port = authority.partition(":")
        return authority, self.network.resolve(host, int(port or 80))

    def _service(self, suffix: str, port: int) -> tuple[str, Place | None]:
        """The RayService's serving or head Service, not that of a single RayCluster."""
        names = [
            (namespace, name)
            for (namespace, name), service in self.network.services.objects.items()
            if name.endswith(suffix)
            and any(
                owner["kind"] == "RayService"
                for owner in service["metadata"].get("ownerReferences", [])
            )
        ]
        if len(names) != 1:
            found = ", ".join(f"{name}.{namespace}" for namespace, name in sorted(names)) or "none"
            return f"one Service *{suffix} of a RayService (there: {found})", None
        namespace, name = names[0]
        # As a port-forward, which uses one pod for as long as it exists.
        places = self.network.resolve_all(f"{name}.{namespace}", port)
        return f"{name}.{namespace}:{port}", next(iter(places), None)
