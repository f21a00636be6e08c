"""Requests to the Kubernetes API with the rights of the Job's account."""

from __future__ import annotations

import ssl
import urllib.error
from typing import TYPE_CHECKING, Any

from .http_json import fetch

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Protocol

    from .settings import Settings

    class Access(Protocol):
        """How a pod reaches the Kubernetes API."""

        @property
        def kubernetes_url(self) -> str | None:
            """The Kubernetes API; None outside a cluster."""

        @property
        def service_account(self) -> Path:
            """The folder with the pod's token and the API's certificate."""


def kubernetes(
    settings: Access, path: str, method: str = "GET", patch: list[Any] | None = None
) -> dict[str, Any]:
    """What the Kubernetes API answers; raises as `fetch` does.

    patch: operations of a JSON patch.
    """
    url = f"{settings.kubernetes_url}{path}"
    token = settings.service_account / "token"
    authority = settings.service_account / "ca.crt"
    headers = {"Authorization": f"Bearer {token.read_text()}"} if token.exists() else {}
    if patch is not None:
        headers["Content-Type"] = "application/json-patch+json"
    return fetch(
        url,
        patch,
        headers,
        context=ssl.create_default_context(cafile=str(authority))
        if url.startswith("https:")
        else None,
        method=method,
    )


def ray_service(settings: Settings) -> dict[str, Any] | None:
    """The RayService; None if this account may not read it, which is no reason to fail."""
    if settings.kubernetes_url is None:
        return None
    try:
        return kubernetes(
            settings,
            f"/apis/ray.io/v1/namespaces/{settings.namespace}/rayservices/{settings.ray_service}",
        )
    except urllib.error.HTTPError as error:
        if error.code in (401, 403, 404):
            return None
        raise
