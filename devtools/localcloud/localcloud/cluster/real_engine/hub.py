"""A Hugging Face hub on this machine, which has one tiny model under every name.

The hub's own client in the pods downloads from it (HF_ENDPOINT), so a stack's repositories need no
change. The file of faults, read at every request, makes repositories fail as on the real hub:
{"OWNER/NAME": "missing" | "gated" | "without weights" | "down"}. The answers have the headers and
codes that the client reads (`huggingface_hub/utils/_http.py` and `file_download.py`, 2.4.0).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from pathlib import Path

# Repositories have a commit, which the client writes into its cache.
COMMIT = hashlib.sha1(b"tiny model", usedforsecurity=False).hexdigest()
WEIGHTS = ".safetensors"


class Hub:
    """Serves the files of a folder as every repository's content."""

    def __init__(self, model: Path, faults: Path):
        self.model = model
        self.faults = faults
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        """Listen on a port of 127.0.0.1; raises OSError if it is taken."""
        application = web.Application()
        repository = "/{owner}/{name}"
        application.router.add_get(f"/api/models{repository}", self._about)
        application.router.add_get(f"/api/models{repository}/revision/{{revision}}", self._about)
        for tree in ("", "/{folder:.*}"):
            path = f"/api/models{repository}/tree/{{revision}}{tree}"
            application.router.add_get(path, self._tree)
        application.router.add_get(f"{repository}/resolve/{{revision}}/{{file:.*}}", self._file)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()

    async def stop(self) -> None:
        """Close the port."""
        if self._runner:
            await self._runner.cleanup()

    def _files(self, request: web.Request) -> dict[str, Path]:
        """The files of the repository that is asked for; raises what the hub answers instead."""
        repository = "{owner}/{name}".format_map(request.match_info)
        fault = self._fault(repository)
        if fault == "missing":
            raise _error(web.HTTPUnauthorized, "RepoNotFound", "Repository not found")
        if fault == "gated":
            text = f"Access to model {repository} is restricted and you are not in the list."
            raise _error(web.HTTPForbidden, "GatedRepo", text)
        if fault == "down":
            raise web.HTTPServiceUnavailable
        return {
            path.name: path
            for path in sorted(self.model.iterdir())
            if not (fault == "without weights" and path.suffix == WEIGHTS)
        }

    def _fault(self, repository: str) -> str | None:
        try:
            table: dict[str, str] = json.loads(self.faults.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return table.get(repository)

    async def _about(self, request: web.Request) -> web.Response:
        files = self._files(request)
        repository = "{owner}/{name}".format_map(request.match_info)
        return web.json_response(
            {
                "id": repository,
                "modelId": repository,
                "sha": COMMIT,
                "private": False,
                "gated": False,
                "tags": [],
                "siblings": [{"rfilename": name} for name in files],
            }
        )

    async def _tree(self, request: web.Request) -> web.Response:
        files = self._files(request)
        if request.match_info.get("folder"):
            raise _error(web.HTTPNotFound, "EntryNotFound", "Entry not found")
        return web.json_response(
            [
                {"type": "file", "path": name, "size": path.stat().st_size, "oid": _digest(path)}
                for name, path in files.items()
            ]
        )

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path = self._files(request).get(request.match_info["file"])
        if path is None:
            raise _error(web.HTTPNotFound, "EntryNotFound", "Entry not found")
        headers = {"ETag": f'"{_digest(path)}"', "X-Repo-Commit": COMMIT}
        return web.Response(body=path.read_bytes(), headers=headers)


def _digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


def _error(kind: type[web.HTTPError], code: str, message: str) -> web.HTTPError:
    headers = {"X-Repo-Commit": COMMIT, "X-Error-Code": code, "X-Error-Message": message}
    return kind(headers=headers, text=json.dumps({"error": message}))
