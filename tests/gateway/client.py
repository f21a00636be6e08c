"""Asks the gateway over plain sockets, so that nothing is retried and nothing is put right."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.gateway.gateway import Gateway, value

CHAT = "/v1/chat/completions"
JSON = "application/json"


@dataclass(frozen=True)
class Reply:
    """An answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error in OpenAI's form."""
        assert self.headers["content-type"] == JSON, self
        error: dict[str, Any] = self.json["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        return error


def ask(
    gateway: Gateway,
    path: str = CHAT,
    body: Any = None,
    *,
    team: str | None = None,
    method: str = "POST",
    kind: str | None = JSON,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30,
) -> Reply:
    """One request on a connection of its own; `body` as JSON unless it is bytes."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {"Content-Type": kind} if kind is not None and data is not None else {}
    if team is not None:
        sent["Authorization"] = f"Bearer {value(team)}"
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=timeout)
    try:
        connection.request(method, path, data, {**sent, **(headers or {})})
        got = connection.getresponse()
        return Reply(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
    finally:
        connection.close()


def chat(gateway: Gateway, model: str, team: str | None = None, **options: Any) -> Reply:
    """A chat request to a model at the one URL."""
    return ask(gateway, CHAT, {"model": model, "messages": []}, team=team, **options)
