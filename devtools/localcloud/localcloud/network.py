"""The network of a local cloud, for programs that use it themselves and not through a provider.

Behind an HTTPS proxy on 127.0.0.1 stand GitHub with KubeRay's CRDs, and the control planes of the
local cloud's clusters, which answer for CRDs. Nothing else can be reached. The server is a thread
of the process that runs pulumi and ends with it.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from localcloud.providers.gcp.provider import CLUSTER, endpoint_of
from localcloud.store import CloudStore, locked, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    import trustme
    from aiohttp import web

    from localcloud.tunnel_proxy import Handler

# The upper-case names only: gRPC, which stays on this machine, reads the lower-case ones.
PROXY_VARIABLES: Final = ("HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
_LOWER_CASE: Final = (
    "https_proxy",
    "no_proxy",
    "http_proxy",
    "HTTP_PROXY",
    "ALL_PROXY",
    "all_proxy",
)
_SIGN_IN: Final = "gke-gcloud-auth-plugin"


def outer_proxy_lines(environment: dict[str, str]) -> str:
    """Shell lines that give a provider the caller's own variables back: it may fetch packages."""
    return "".join(
        f"export {name}={shlex.quote(environment[name])}\n"
        if name in environment
        else f"unset {name}\n"
        for name in (*PROXY_VARIABLES, *_LOWER_CASE)
    )


def through_proxy(environment: dict[str, str], proxy: str, authority: Path) -> dict[str, str]:
    """The variables with which a program goes through a proxy and trusts an authority."""
    kept = {name: value for name, value in environment.items() if name not in _LOWER_CASE}
    return {
        **kept,
        "HTTPS_PROXY": proxy,
        "NO_PROXY": "127.0.0.1,localhost",
        "SSL_CERT_FILE": str(authority),
    }


class Network:
    """The network of the local cloud in `home`; its proxy runs until this process ends."""

    def __init__(self, home: Path, cache: Path) -> None:
        self.home = home
        self.cache = cache
        self._ready = threading.Event()
        self._port = 0
        threading.Thread(target=self._run, name="network", daemon=True).start()
        self._ready.wait()

    @property
    def proxy(self) -> str:
        """The proxy's URL."""
        return f"http://127.0.0.1:{self._port}"

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        from localcloud.tunnel_proxy import TunnelProxy

        proxy = TunnelProxy(lambda: authority(self.home), self._handler_of)
        self._port = await proxy.start()
        self._ready.set()
        await asyncio.Event().wait()

    def _handler_of(self, host: str) -> Handler | None:
        from localcloud.github import answering

        github = answering(self.cache).get(host)
        if github is not None:
            return github
        clusters = CloudStore(self.home, "gcp").read()
        known = {endpoint_of(id_) for id_, entry in clusters.items() if entry["type"] == CLUSTER}
        return self._control_plane if host in known else None

    async def _control_plane(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        from localcloud.providers.kubernetes.definitions_api import answer

        # Not request.read(), which takes a megabyte at most.
        body = b"".join([piece async for piece in request.content.iter_any()])
        status, content = await asyncio.to_thread(
            answer, self.home, self.cache, request.method, request.host, request.rel_url, body
        )
        # Without a charset, as the API server answers.
        headers = {"Content-Type": "application/json"}
        return web.Response(body=json.dumps(content).encode(), status=status, headers=headers)


@cache
def network(home: Path, cache: Path) -> Network:
    """The network of a home folder, started once for each process."""
    return Network(home, cache)


def authority_file(home: Path) -> Path:
    """The certificate of the authority that all of the local cloud's servers have; made once."""
    file = home / "network" / "authority.pem"
    if not file.exists():
        authority(home)
    return file


def authority(home: Path) -> trustme.CA:
    """The authority of a home folder; made once."""
    import trustme

    folder = home / "network"
    certificate, key = folder / "authority.pem", folder / "authority.key"
    with locked(folder / ".lock"):
        if certificate.exists():
            return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
        made = trustme.CA()
        key.touch(mode=0o600)
        key.write_bytes(made.private_key_pem.bytes())
        made.cert_pem.write_to_path(str(certificate))
        return made


def sign_in_script() -> str:
    """`gke-gcloud-auth-plugin` for the local cloud's clusters, which take any token."""
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "kind": "ExecCredential",
        "status": {"token": "local-cloud"},
    }
    return f"#!/bin/sh\necho '{json.dumps(credential)}'\n"


def write_kubeconfig(home: Path) -> Path:
    """The caller's own kubeconfig: a context for each cluster, with the names that gcloud gives."""
    import base64

    certificate = base64.b64encode(authority_file(home).read_bytes()).decode()
    clusters: list[dict[str, Any]] = []
    contexts: list[dict[str, Any]] = []
    for id_, entry in CloudStore(home, "gcp").read().items():
        if entry["type"] != CLUSTER:
            continue
        _, project, _, location, _, name = id_.split("/")
        context = f"gke_{project}_{location}_{name}"
        server = {
            "server": f"https://{endpoint_of(id_)}",
            "certificate-authority-data": certificate,
        }
        clusters.append({"name": context, "cluster": server})
        contexts.append({"name": context, "context": {"cluster": context, "user": "local"}})
    exec_ = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": _SIGN_IN}
    file = home / "network" / "kubeconfig.json"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters,
        "contexts": contexts,
        "users": [{"name": "local", "user": {"exec": exec_}}],
    }
    write_atomically(file, json.dumps(content))
    return file
