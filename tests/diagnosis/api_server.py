"""A small API server that answers what a test tells it to, and remembers what it was asked."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

# Put together here, so that no scanner of repositories takes it for a real one.
TOKEN = "api_server_" + "0123456789abcdef" * 2


class ApiServer:
    """answers: by path, an object, a text, or a number, which is a refusal with that status.

    slow: paths that answer only after so many seconds.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"/version": {"major": "1", "minor": "36"}}
        self.slow: dict[str, float] = {}
        self.asked: list[tuple[str, str, Mapping[str, list[str]]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.url = ""

    def kubeconfig(self, folder: Path, context: str = "llm") -> Path:
        """A kubeconfig for it."""
        path = folder / "kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "current-context": context,
                    "clusters": [{"name": "c", "cluster": {"server": self.url}}],
                    "users": [{"name": "u", "user": {"token": TOKEN}}],
                    "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
                }
            )
        )
        return path

    def handle(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        parts = urlsplit(path)
        self.asked.append((method, parts.path, parse_qs(parts.query)))
        self.headers.append(headers)
        time.sleep(self.slow.get(parts.path, 0.0))
        answer = self.answers.get(parts.path, 404)
        if isinstance(answer, int):
            status = {"kind": "Status", "message": f"no {parts.path}", "code": answer}
            return answer, json.dumps(status)
        return 200, answer if isinstance(answer, str) else json.dumps(answer)


@contextmanager
def running(server: ApiServer) -> Iterator[ApiServer]:
    """The server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            code, text = server.handle(self.command, self.path, dict(self.headers))
            try:
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(text.encode())
            except OSError:
                return  # a client that did not wait

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the library's

        def log_message(self, *_: Any) -> None:
            return

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
