"""An HTTPS proxy on 127.0.0.1 behind which this process answers for some hosts.

A client that uses the proxy and trusts the authority talks to a handler as it would talk to the
host. Every other host is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    import trustme

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_PIECE_BYTES: Final = 65536


async def listen(
    handle: Handler, port: int, *, ssl_context: ssl.SSLContext | None = None
) -> web.ServerRunner:
    """Serve on a port of 127.0.0.1 until the runner's `cleanup`; OSError if the port is taken."""
    runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=ssl_context).start()
    return runner


class TunnelProxy:
    """Tunnels to handlers, one for each host.

    handler_of: the handler of a host (a name or an address), None if it is to be refused.
    """

    def __init__(
        self, authority: Callable[[], trustme.CA], handler_of: Callable[[str], Handler | None]
    ) -> None:
        self.authority = authority
        self.handler_of = handler_of
        self._inner: dict[str, web.ServerRunner] = {}
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> int:
        """Listen on `port`, or on any free one; returns it."""
        self._server = await asyncio.start_server(self._tunnel, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close all listeners."""
        if self._server:
            self._server.close()
        for runner in self._inner.values():
            await runner.cleanup()

    async def _inner_port(self, host: str, handler: Handler) -> int:
        if host not in self._inner:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.authority().issue_cert(host).configure_cert(context)
            self._inner[host] = await listen(handler, 0, ssl_context=context)
        return int(self._inner[host].addresses[0][1])

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            method, target = (*head.split(b" ", 2)[:2], b"")[:2]
            host = target.rpartition(b":")[0].decode(errors="replace")
            handler = self.handler_of(host) if method == b"CONNECT" else None
            if handler is None:
                reason = f"this machine does not reach {host or 'other hosts'}".encode()
                writer.write(b"HTTP/1.1 403 " + reason + b"\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                return
            port = await self._inner_port(host, handler)
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with contextlib.closing(inner_writer):
                await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what is read until its end."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIECE_BYTES):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
