"""Requests to models, and counts of those that were lost."""

import http.client
import json
import threading
import time
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

REQUEST_SECONDS = 240


def ask(
    url: str,
    route: str,
    path: str = "chat/completions",
    seconds: float = REQUEST_SECONDS,
    **body: Any,
) -> tuple[int, str]:
    """Status and text of one answer of the model at a route; without a body it is a GET."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=seconds)
    try:
        connection.request(
            "POST" if body else "GET",
            f"/{route}/v1/{path}",
            json.dumps({"model": route, **body}) if body else None,
            {"Content-Type": "application/json"} if body else {},
        )
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def say_hello(url: str, model: str, **body: Any) -> tuple[int, str]:
    """One chat request."""
    return ask(url, model, messages=[{"role": "user", "content": "hello"}], **body)


@dataclass
class Traffic:
    """Requests to some models, a few a second each, while a `with` block runs.

    sent, lost: counts by model; lost is every answer but 200, `reasons` says which.
    longest_seconds: what the slowest answer took.
    """

    url: str
    models: tuple[str, ...]
    pause_seconds: float = 0.25
    sent: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    longest_seconds: float = 0.0

    def __enter__(self) -> "Traffic":
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(m,)) for m in self.models]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _send(self, model: str) -> None:
        while not self._end.is_set():
            started = time.monotonic()
            try:
                status, text = say_hello(self.url, model)
                good = status == 200 and model in text
                reason = f"HTTP {status}"
            except (OSError, http.client.HTTPException) as error:
                good, reason = False, type(error).__name__
            took = time.monotonic() - started
            self.longest_seconds = max(self.longest_seconds, took)
            self.sent[model] += 1
            if not good:
                self.lost[model] += 1
                self.reasons[f"{reason} after {took:.0f} s"] += 1
            self._end.wait(self.pause_seconds)

    def seen(self, *models: str) -> str:
        """`lost N of M` for some of the models, with the reasons if there are any."""
        lost = sum(self.lost[model] for model in models)
        return f"lost {lost} of {sum(self.sent[model] for model in models)}"
