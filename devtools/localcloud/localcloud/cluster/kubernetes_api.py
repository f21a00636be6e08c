"""A small asynchronous client of the local Kubernetes API.

Objects are plain dicts, exactly as the API server sends them, because the
kubelet and the node pools read parts of a pod for which typed clients have
no fields. A watch lists first and resumes by itself.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

Object = dict[str, Any]


class ApiError(Exception):
    """The API server answered with an error; `status` is the HTTP code."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Credentials:
    """The API server's address and the credentials for it."""

    url: str
    token: str = field(repr=False)
    ca_file: Path

    def ssl_context(self) -> ssl.SSLContext:
        """A context that trusts only the cluster's own certificate."""
        return ssl.create_default_context(cafile=str(self.ca_file))


def object_path(obj: Object) -> str:
    """The REST path of an object, by the plural that Kubernetes itself derives."""
    kind = obj["kind"].lower()
    plural = kind + "es" if kind.endswith(("s", "x")) else kind + "s"
    if kind.endswith("y"):
        plural = kind[:-1] + "ies"
    api = obj["apiVersion"]
    root = f"/apis/{api}" if "/" in api else f"/api/{api}"
    namespace = obj["metadata"].get("namespace")
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{scope}/{plural}/{obj['metadata']['name']}"


class KubernetesApi:
    """The calls that the local cluster needs; use it as an async context manager."""

    def __init__(self, credentials: Credentials):
        self.credentials = credentials
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "KubernetesApi":
        connector = aiohttp.TCPConnector(ssl=self.credentials.ssl_context(), limit=0)
        self._session = aiohttp.ClientSession(
            base_url=self.credentials.url,
            connector=connector,
            headers={"Authorization": f"Bearer {self.credentials.token}"},
            timeout=aiohttp.ClientTimeout(total=30),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        params: dict[str, str] | None = None,
    ) -> Any:
        """Send one request and return the decoded answer.

        Raises ApiError with the server's own message when it refuses.
        """
        assert self._session, "use the client as a context manager"
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, path, data=data, params=params, headers={"Content-Type": content_type}
        ) as response:
            text = await response.text()
            if response.status >= 400:
                try:
                    message = json.loads(text).get("message", text)
                except ValueError:
                    message = text
                raise ApiError(response.status, message)
            return json.loads(text) if text.startswith(("{", "[")) else text

    async def get(self, path: str) -> Any:
        """Read one object or list."""
        return await self.request("GET", path)

    async def create(self, path: str, obj: Object) -> Any:
        """Create an object in the collection at `path`."""
        return await self.request("POST", path, obj)

    async def apply(self, obj: Object, *, field_manager: str = "local-cluster") -> Any:
        """Server-side apply with strict field validation."""
        return await self.request(
            "PATCH",
            object_path(obj),
            obj,
            content_type="application/apply-patch+yaml",
            params={"fieldManager": field_manager, "force": "true", "fieldValidation": "Strict"},
        )

    async def patch_status(self, path: str, status: Object) -> Any:
        """Merge `status` into the status of the object at `path`."""
        return await self.request(
            "PATCH",
            f"{path}/status",
            {"status": status},
            content_type="application/merge-patch+json",
        )

    async def delete(self, path: str, *, grace_seconds: int | None = None) -> None:
        """Delete an object; it is not an error if it is already gone."""
        body = None if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
        try:
            await self.request("DELETE", path, body)
        except ApiError as error:
            if error.status != 404:
                raise

    async def watch(self, path: str) -> AsyncIterator[tuple[str, Object]]:
        """Yield ("ADDED" | "MODIFIED" | "DELETED", object) for ever.

        Each time the watch has to start over, it yields every object that still
        exists as "MODIFIED" and every object deleted meanwhile as "DELETED".
        """
        known: dict[str, Object] = {}
        while True:
            try:
                listed = await self.get(path)
                present = {item["metadata"]["uid"]: item for item in listed["items"]}
                for uid in known.keys() - present.keys():
                    yield "DELETED", known[uid]
                for uid, item in present.items():
                    yield ("MODIFIED" if uid in known else "ADDED"), item
                known = present
                async for event, obj in self._events(path, listed["metadata"]["resourceVersion"]):
                    if event == "DELETED":
                        known.pop(obj["metadata"]["uid"], None)
                    else:
                        known[obj["metadata"]["uid"]] = obj
                    yield event, obj
            except (aiohttp.ClientError, ApiError, TimeoutError):
                # The API server is down or has forgotten that version: list again.
                await asyncio.sleep(1)

    async def _events(self, path: str, version: str) -> AsyncIterator[tuple[str, Object]]:
        assert self._session
        params = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "300"}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=320)
        async with self._session.get(path, params=params, timeout=timeout) as response:
            buffer = b""
            async for chunk in response.content.iter_any():
                buffer += chunk
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        return
                    yield event["type"], event["object"]


class Store:
    """The objects of one collection, kept up to date by a watch."""

    def __init__(self, api: KubernetesApi, path: str):
        self.api = api
        self.path = path
        self.objects: dict[tuple[str, str], Object] = {}
        self.listeners: list[Callable[[str, Object], None]] = []

    async def run(self) -> None:
        """Follow the collection until cancelled."""
        async for event, obj in self.api.watch(self.path):
            key = (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            if event == "DELETED":
                self.objects.pop(key, None)
            else:
                self.objects[key] = obj
            for listener in self.listeners:
                listener(event, obj)


async def is_ready(credentials: Credentials) -> bool:
    """Whether an API server is ready; one that has just started has no certificate yet."""
    if not credentials.ca_file.exists():
        return False
    try:
        async with KubernetesApi(credentials) as api:
            return bool(await api.get("/readyz") == "ok")
    except (aiohttp.ClientError, ApiError, ssl.SSLError, TimeoutError, OSError):
        return False
