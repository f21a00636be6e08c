"""The way from the API server to pods, which GKE's control plane has through its konnectivity.

`kubectl port-forward` and requests to a Service through the API server go this way. The pods'
addresses lead nowhere on this machine, so the API server asks this tunnel for each connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import yaml

from localcloud.tunnel_proxy import pipe

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.cluster.pod_network import PodNetwork


def egress_selection(socket: Path) -> dict[str, Any]:
    """The API server's EgressSelectorConfiguration with a tunnel on a Unix socket."""
    transport = {"uds": {"udsName": str(socket)}}
    connection = {"proxyProtocol": "HTTPConnect", "transport": transport}
    return {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": connection}],
    }


def write_egress_selection(folder: Path, socket: Path) -> Path:
    """Writes that configuration; returns its file."""
    file = folder / "egress-selection.yaml"
    file.write_text(yaml.safe_dump(egress_selection(socket)), encoding="utf-8")
    return file


class PodTunnel:
    """Answers CONNECT for the addresses of pods."""

    def __init__(self, network: PodNetwork):
        self.network = network
        self._server: asyncio.Server | None = None

    async def start(self, socket: Path) -> None:
        """Listen on a Unix socket."""
        self._server = await asyncio.start_unix_server(self._tunnel, socket)

    async def stop(self) -> None:
        """Close the listener."""
        if self._server:
            self._server.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode(errors="replace")
            host, _, port = target.rpartition(":")
            place = self.network.resolve(host, int(port)) if port.isdecimal() else None
            if place is None:
                writer.write(b"HTTP/1.1 502 nothing answers there\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                return
            inner_reader, inner_writer = await asyncio.open_connection(*place)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with contextlib.closing(inner_writer):
                await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))
