"""The address under which a stack reaches the cluster, as it would reach GKE's control plane.

In front of the API server, with a certificate of its own, so that the `gcp`
stand-in can tell endpoint and CA as Google does. Every write that passes is made
strict: the Kubernetes provider asks the server only to warn of unknown fields,
and nobody reads those warnings; here such a field is refused.
"""

import base64
import json
import ssl
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import trustme
from aiohttp import web

from localcloud.cluster.forwarding import forward, listen
from localcloud.cluster.kubernetes_api import Credentials

_WRITES = ("POST", "PUT", "PATCH")


class GkeEndpoint:
    """Forwards to the API server what comes in at one port of 127.0.0.1."""

    def __init__(self, api: Credentials, port: int):
        self.api = api
        self.port = port
        self._runner: web.ServerRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self, authority: trustme.CA, description: Path, credential: Path) -> None:
        """Listen, and write down how to get in.

        description: JSON with `endpoint` and `certificate` (base64), as GKE's API tells them.
        credential: what gke-gcloud-auth-plugin prints for kubectl and its kin.
        """
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(ssl=self.api.ssl_context(), limit=0),
            # A watch is silent for minutes.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self._runner = await listen(self._handle, self.port, ssl_context=context)
        certificate = base64.b64encode(authority.cert_pem.bytes()).decode()
        endpoint = {"endpoint": f"127.0.0.1:{self.port}", "certificate": certificate}
        _write_private(description, endpoint)
        _write_private(
            credential,
            {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "kind": "ExecCredential",
                "status": {"token": self.api.token},
            },
        )

    async def stop(self) -> None:
        """Close the listener and all connections."""
        if self._runner:
            await self._runner.cleanup()
        if self._session:
            await self._session.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self._session
        url = request.rel_url
        if request.method in _WRITES:
            url = url.update_query(fieldValidation="Strict")
        return await forward(request, self._session, f"{self.api.url}{url}", "the API server")


def _write_private(path: Path, content: Mapping[str, object]) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(content), encoding="utf-8")
