"""A fake GitHub that serves KubeRay's CRDs and chart to stacks, without the network.

Programs name the CRDs by their address on raw.githubusercontent.com, and the chart
by the address of its repository on ray-project.github.io. A client that uses this
proxy and trusts the cluster's certificates gets the CRDs from KubeRay's Go module
and the chart from `charts/`. Any other host is refused.
"""

import asyncio
import contextlib
import gzip
import hashlib
import io
import ssl
import tarfile
from pathlib import Path
from typing import Any, Final

import trustme
import yaml
from aiohttp import web

from localcloud.cluster.forwarding import listen

CRDS_HOST: Final = "raw.githubusercontent.com"
CHARTS_HOST: Final = "ray-project.github.io"
CHARTS: Final = Path(__file__).parent / "charts"
_CHART_FOLDER: Final = "/kuberay-helm"
_PIECE_BYTES: Final = 65536


def package(chart: Path) -> bytes:
    """A chart's folder as a Helm archive, with the same bytes every time."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(p for p in chart.rglob("*") if p.is_file()):
            entry = tarfile.TarInfo(f"{chart.name}/{path.relative_to(chart)}")
            entry.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(entry, file)
    return gzip.compress(archive.getvalue(), mtime=0)


def kuberay_files(crds: Path, version: str) -> dict[tuple[str, str], bytes]:
    """Everything that can be downloaded, by host and path.

    crds: the folder of the CRDs of KubeRay's release `version` ("1.6.2").
    """
    base = f"/ray-project/kuberay/v{version}/ray-operator/config/crd/bases"
    files = {(CRDS_HOST, f"{base}/{path.name}"): path.read_bytes() for path in crds.glob("*.yaml")}
    entries: dict[str, Any] = {}
    for chart in (path for path in CHARTS.iterdir() if path.is_dir()):
        about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
        archive = package(chart)
        name = f"{about['name']}-{about['version']}.tgz"
        url = f"https://{CHARTS_HOST}{_CHART_FOLDER}/{name}"
        digest = hashlib.sha256(archive).hexdigest()
        entries[about["name"]] = [{**about, "urls": [url], "digest": digest}]
        files[CHARTS_HOST, f"{_CHART_FOLDER}/{name}"] = archive
    index = yaml.safe_dump({"apiVersion": "v1", "entries": entries}).encode()
    return {**files, (CHARTS_HOST, f"{_CHART_FOLDER}/index.yaml"): index}


class FakeGitHub:
    """An HTTPS proxy that answers in place of GitHub, with the given files."""

    def __init__(self, files: dict[tuple[str, str], bytes]):
        self.files = files
        self._runner: web.ServerRunner | None = None
        self._server: asyncio.Server | None = None
        self._inner_port = 0

    async def start(self, authority: trustme.CA, port: int, inner_port: int) -> None:
        """Listen as a proxy on `port`; its tunnels end at `inner_port`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(CRDS_HOST, CHARTS_HOST).configure_cert(context)
        self._inner_port = inner_port
        self._runner = await listen(self._answer, inner_port, ssl_context=context)
        self._server = await asyncio.start_server(self._tunnel, "127.0.0.1", port)

    async def stop(self) -> None:
        """Close both listeners."""
        if self._server:
            self._server.close()
        if self._runner:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        found = self.files.get((request.host, request.path))
        if found is None:
            text = f"the local cluster has no https://{request.host}{request.path}\n"
            return web.Response(status=404, text=text)
        return web.Response(body=found)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            method, target = (*head.split(b" ", 2)[:2], b"")[:2]
            host = target.rpartition(b":")[0].decode(errors="replace")
            if method != b"CONNECT" or host not in (CRDS_HOST, CHARTS_HOST):
                reason = f"the local cluster does not reach {host or 'other hosts'}".encode()
                writer.write(b"HTTP/1.1 403 " + reason + b"\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                return
            inner_reader, inner_writer = await asyncio.open_connection(
                "127.0.0.1", self._inner_port
            )
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with contextlib.closing(inner_writer):
                await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIECE_BYTES):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
