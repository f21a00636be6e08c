"""A stand-in for Prometheus: it answers range queries with constant series.

It does not evaluate a query: that the queries mean what they should, and that Ray exports these
names, it does not prove. It keeps what it was asked.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.gateway.backend import Handler, Seen, running_backend


@dataclass
class PrometheusServer:
    """nodes: by pool; replicas: by application; share: of the period that has samples.

    answer: a whole answer instead, (status, body).
    """

    nodes: dict[str, float] = field(default_factory=dict)
    replicas: dict[str, float] = field(default_factory=dict)
    share: float = 1.0
    instead: tuple[int, bytes] | None = None
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: Handler, seen: Seen) -> None:
        params = parse_qs(urlsplit(seen.path).query)
        self.asked.append(params)
        if self.instead is not None:
            handler.send(*self.instead)
            return
        is_nodes = "autoscaler_active_nodes" in params["query"][0]
        label, values = ("NodeType", self.nodes) if is_nodes else ("application", self.replicas)
        start, end, step = (int(params[key][0]) for key in ("start", "end", "step"))
        moments = range(start, end + 1, step)
        kept = moments[: round(len(moments) * self.share)]
        result: list[Any] = [
            {"metric": {label: name}, "values": [[moment, str(value)] for moment in kept]}
            for name, value in values.items()
        ]
        body = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        handler.send(200, json.dumps(body).encode())


@contextmanager
def answering(server: PrometheusServer) -> Iterator[PrometheusServer]:
    """The server on a free port of this machine."""
    with running_backend(server.answer) as backend:
        server.url = f"http://127.0.0.1:{backend.port}"
        yield server
