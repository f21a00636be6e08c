"""The address under which a stack reaches the cluster, as it would reach GKE's control plane.

It is a server in front of the API server with a separate certificate, so that the
`gcp` stand-in can report endpoint and CA as Google does. It makes every write
strict: the Kubernetes provider asks the server only to warn about unknown fields,
and such warnings are easily missed. Here such a field is refused.
"""

import base64
import json
import ssl
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import trustme
from aiohttp import web

from localcloud.cluster.forwarding import forward
from localcloud.cluster.kubernetes_api import Credentials
from localcloud.tunnel_proxy import listen

_WRITES = ("POST", "PUT", "PATCH")


class GkeEndpoint:
    """Forwards requests from one port of 127.0.0.1 to the API server."""

    def __init__(self, api: Credentials, port: int):
        self.api = api
        self.port = port
        self._runner: web.ServerRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self, authority: trustme.CA, description: Path, credential: Path) -> None:
        """Listen, and write the files that clients need.

        description: JSON with `endpoint` and `certificate` (base64), as in GKE's API.
        credential: what gke-gcloud-auth-plugin prints for kubectl and other clients.
        """
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(ssl=self.api.ssl_context(), limit=0),
            # No total timeout: a watch may be silent for minutes.
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
