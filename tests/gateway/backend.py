"""A small stand-in for Ray Serve: it answers for every model and notes what reaches it."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol


@dataclass(frozen=True)
class Seen:
    """A request as it reached the backend."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Answer(Protocol):
    """How a backend answers one request."""

    def __call__(self, handler: "Handler", seen: Seen, /) -> None: ...


@dataclass
class Backend:
    """A running backend; `answer` may be replaced while it runs."""

    port: int
    answer: Answer
    seen: list[Seen] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [item.path for item in self.seen]


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1 with connections that stay open, as uvicorn does."""

    protocol_version = "HTTP/1.1"
    backend: Backend

    def setup(self) -> None:
        super().setup()
        self.request.setsockopt(6, 1, 1)  # TCP_NODELAY

    def _any(self) -> None:
        seen = Seen(self.command, self.path, dict(self.headers), self._body())
        self.backend.seen.append(seen)
        self.backend.answer(self, seen)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = _any  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def chunk(self, data: bytes) -> None:
        """Sends a part of the body; an empty one ends it."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def tell(handler: Handler, seen: Seen) -> None:
    """Answers with the path and the body's model, by which a test sees where a request went."""
    try:
        model = seen.json.get("model")
    except (ValueError, AttributeError):
        model = None
    handler.send(200, json.dumps({"path": seen.path, "model": model}).encode())


class _Server(ThreadingHTTPServer):
    """As many clients may come at once as they like, and go in the middle of an answer."""

    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A socket that is closed raises one of these.
        if not isinstance(sys.exc_info()[1], OSError | ValueError):
            super().handle_error(request, client_address)


@contextmanager
def running_backend(answer: Answer = tell, port: int = 0) -> Iterator[Backend]:
    server = _Server(("127.0.0.1", port), Handler)
    backend = Backend(server.server_port, answer)
    server.RequestHandlerClass = type("BoundHandler", (Handler,), {"backend": backend})
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield backend
    finally:
        server.shutdown()
        server.server_close()
