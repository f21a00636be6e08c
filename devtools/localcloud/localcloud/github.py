"""KubeRay's CRDs and chart as GitHub serves them, without GitHub.

Programs name the CRDs of a release by their addresses on raw.githubusercontent.com, and the chart
by the address of its repository on ray-project.github.io. The CRDs come from KubeRay's Go module,
of any release that the module proxy serves. The chart comes from `cluster/charts`: it is a
replacement, which is the same for every release.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import tarfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from aiohttp import web

from localcloud.providers.kubernetes import crds
from localcloud.providers.server import ProviderError

if TYPE_CHECKING:
    from localcloud.tunnel_proxy import Handler

CRDS_HOST: Final = "raw.githubusercontent.com"
CHARTS_HOST: Final = "ray-project.github.io"
CHART: Final = Path(__file__).parent / "cluster" / "charts" / "kuberay-operator"
# The releases of which the module proxy serves the CRDs; the stand-in chart has the same.
CHART_VERSIONS: Final = ("1.4.2", "1.6.2")
_CHART_FOLDER: Final = "/kuberay-helm"


def answering(cache: Path) -> dict[str, Handler]:
    """What answers for GitHub's hosts; `cache` is a folder for what comes from the module."""

    async def definitions(request: web.BaseRequest) -> web.StreamResponse:
        url = f"https://{request.host}{request.path}"
        try:
            return web.Response(body=await asyncio.to_thread(crds.text_at, url, cache))
        except ProviderError as error:
            return web.Response(status=404, text=f"{error}\n")

    async def charts(request: web.BaseRequest) -> web.StreamResponse:
        found = chart_files().get(request.path)
        if found is None:
            text = f"the local cloud has no https://{request.host}{request.path}\n"
            return web.Response(status=404, text=text)
        return web.Response(body=found)

    return {CRDS_HOST: definitions, CHARTS_HOST: charts}


@cache
def chart_files() -> dict[str, bytes]:
    """The chart repository: its index and the archives, by path."""
    files: dict[str, bytes] = {}
    entries: list[dict[str, Any]] = []
    for version in CHART_VERSIONS:
        about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
        about |= {"version": version, "appVersion": f"v{version}"}
        archive = _package(about)
        path = f"{_CHART_FOLDER}/{CHART.name}-{version}.tgz"
        digest = hashlib.sha256(archive).hexdigest()
        entries.append({**about, "urls": [f"https://{CHARTS_HOST}{path}"], "digest": digest})
        files[path] = archive
    index = yaml.safe_dump({"apiVersion": "v1", "entries": {CHART.name: entries}}).encode()
    return {**files, f"{_CHART_FOLDER}/index.yaml": index}


def _package(about: dict[str, Any]) -> bytes:
    """The chart as a Helm archive, with the same bytes every time."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(p for p in CHART.rglob("*") if p.is_file()):
            content = path.read_bytes()
            if path.name == "Chart.yaml":
                content = yaml.safe_dump(about).encode()
            entry = tarfile.TarInfo(f"{CHART.name}/{path.relative_to(CHART)}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), mtime=0)
