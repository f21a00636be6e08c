"""A hub on loopback: the parts of Hugging Face's HTTP API that its own client asks for files.

It stands for the hub alone: no Xet storage, no redirects to a content network, no limits of
requests. Repositories are folders of bytes.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast

LARGE: Final = 64 * 1024
"""From this size on a file is kept in LFS, so that the hub names its SHA-256."""
COMMIT: Final = "c" * 40


@dataclass
class Hub:
    """repositories: files by name. gated: those whose files need a token, which it names.

    sent_bytes: of files. asked: the paths of all requests.
    cut_at: after how many bytes the next answers with a large file break off, one after the other.
    spoilt: how many of the next large files come with another byte than they have.
    down: how many of the next requests for files get a 520, after which the client itself gives up.
    """

    repositories: dict[str, dict[str, bytes]]
    gated: dict[str, str] = field(default_factory=dict)
    sent_bytes: int = 0
    asked: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    cut_at: list[int] = field(default_factory=list)
    spoilt: int = 0
    down: int = 0
    url: str = ""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub at `hub.url`, while the block runs."""
    handler = cast("type[BaseHTTPRequestHandler]", type("_Handler", (_Handler,), {"hub": hub}))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.hub.asked.append(path)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", path):
            self._described(match[1], match[2])
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._file(match[1], match[2], with_body=with_body)
        else:
            self._refuse(404, "EntryNotFound")

    def _exists(self, repository: str) -> bool:
        if repository not in self.hub.repositories:
            self._refuse(404, "RepoNotFound")
            return False
        return True

    def _allowed(self, repository: str) -> bool:
        if not self._exists(repository):
            return False
        token = self.hub.gated.get(repository)
        if token is not None and self.headers.get("Authorization") != f"Bearer {token}":
            self._refuse(403, "GatedRepo")
            return False
        return True

    def _described(self, repository: str, revision: str) -> None:
        if not self._exists(repository):
            return
        if revision not in ("main", COMMIT):
            self._refuse(404, "RevisionNotFound")
            return
        files = self.hub.repositories[repository]
        body = json.dumps(
            {
                "id": repository,
                "sha": COMMIT,
                "siblings": [_sibling(name, content) for name, content in files.items()],
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, repository: str, name: str, *, with_body: bool) -> None:
        if self.hub.down:
            self.hub.down -= 1
            self._refuse(520, "")
            return
        if not self._allowed(repository):
            return
        content = self.hub.repositories[repository].get(name)
        if content is None:
            self._refuse(404, "EntryNotFound")
            return
        start = 0
        if asked := self.headers.get("Range"):
            self.hub.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        if not with_body:
            start = 0
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{_checksum(content)}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if with_body:
            self._send(content[start:])

    def _send(self, content: bytes) -> None:
        if len(content) >= LARGE and self.hub.spoilt:
            self.hub.spoilt -= 1
            content = bytes([content[0] ^ 1]) + content[1:]
        if len(content) >= LARGE and self.hub.cut_at:
            content = content[: self.hub.cut_at.pop(0)]
            self.close_connection = True
        try:
            self.wfile.write(content)
            self.hub.sent_bytes += len(content)
        except OSError:
            self.close_connection = True

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _sibling(name: str, content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": _git(content)}
    if len(content) >= LARGE:
        found["lfs"] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "pointerSize": 134,
        }
    return found


def _git(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if len(content) >= LARGE else _git(content)
