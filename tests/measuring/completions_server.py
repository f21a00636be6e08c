"""A small server that streams completions as vLLM does: token by token, with the usage at the end.

It is no engine: how fast it is, and that 32 requests at once are as fast as one, is its own choice.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.gateway.backend import Handler, Seen, running_backend

KEY = "a-key-of-" + "team-search-7"


@dataclass
class Completions:
    """model: the one that it serves. first_seconds, token_seconds: until a token comes.

    refusals: (status, message) by the number of the request, the first being 0, and of all later
        ones. stops_after: from which request on streams break off in the middle.
    silent: whether it leaves the usage out. usage: another one, instead.
    key: without which it answers 401.
    """

    model: str
    url: str = ""
    first_seconds: float = 0.02
    token_seconds: float = 0.002
    refusals: dict[int, tuple[int, str]] = field(default_factory=dict)
    stops_after: int = 10**9
    silent: bool = False
    usage: Any = None
    key: str | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0
    _running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, handler: Handler, seen: Seen) -> None:
        with self._lock:
            number = len(self.bodies)
            self.bodies.append(seen.json)
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        try:
            self._answer(handler, seen, number)
        except OSError:
            pass  # the client is gone
        finally:
            with self._lock:
                self._running -= 1

    def _answer(self, handler: Handler, seen: Seen, number: int) -> None:
        headers = {name.lower(): value for name, value in seen.headers.items()}
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            sent = headers.get("authorization", "nothing")
            _refuse(handler, 401, f"the key {sent} is not known")
            return
        if seen.path != f"/{self.model}/v1/completions" or seen.json["model"] != self.model:
            handler.send(404, json.dumps({"detail": "Not Found"}).encode())
            return
        refusal = next((self.refusals[n] for n in sorted(self.refusals) if n <= number), None)
        if refusal is not None:
            _refuse(handler, *refusal)
            return
        self._stream(handler, seen.json, number)

    def _stream(self, handler: Handler, body: dict[str, Any], number: int) -> None:
        handler.begin_stream()
        time.sleep(self.first_seconds)
        for token in range(body["max_tokens"]):
            if number >= self.stops_after and token > 2:
                handler.close_connection = True
                handler.connection.close()
                return
            _event(handler, {"choices": [{"index": 0, "text": "la "}]})
            time.sleep(self.token_seconds)
        if not self.silent:
            prompt_tokens = len(body["prompt"].split())
            usage = {"prompt_tokens": prompt_tokens, "completion_tokens": body["max_tokens"]}
            _event(handler, {"choices": [], "usage": self.usage or usage})
        handler.chunk(b"data: [DONE]\n\n")
        handler.chunk(b"")


def _event(handler: Handler, content: dict[str, Any]) -> None:
    handler.chunk(f"data: {json.dumps(content)}\n\n".encode())


def _refuse(handler: Handler, code: int, message: str) -> None:
    error = {"message": message, "type": "invalid_request_error", "code": code}
    handler.send(code, json.dumps({"error": error}).encode())


@contextmanager
def serving(completions: Completions) -> Iterator[Completions]:
    """The server on a free port of this machine."""
    with running_backend(completions.answer) as backend:
        completions.url = f"http://127.0.0.1:{backend.port}"
        yield completions
