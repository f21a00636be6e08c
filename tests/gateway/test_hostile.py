"""A thousand hostile requests: none reaches a model without a key, and the gateway answers on.

All of them are harmless: odd or oversized, and none makes use of a fault of any program.
"""

import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.gateway.backend import Backend, running_backend
from tests.gateway.client import CHAT, chat
from tests.gateway.gateway import Gateway, running_gateway, value
from tests.manifests.gateway.stacks import gateway_plan, key

REQUESTS = 1000
BODY = json.dumps({"model": "a", "messages": []}).encode()
PATHS = (
    "/v1/../a/v1/chat/completions",
    "/v1/./chat/completions",
    "/v1//chat/completions",
    "//a/v1/chat/completions",
    "/a/v1/../../b.1/v1/chat/completions",
    "/%61/v1/chat/completions",
    "/a%2fv1/chat/completions",
    "/a%2Fv1%2Fchat%2Fcompletions",
    "/-/ready/../../a/v1/chat/completions",
    "/-/ready%2f..%2f..%2fa/v1/chat/completions",
    "/-/ready/..;/a/v1/models",
    "/-/ready;/a/v1/models",
    "/-/ready?/a/v1/models",
    "/-/ready/",
    "/a/v1/models%00",
    "/a/v1/models%3f",
    "/v1/models/..%2fa",
    "/v1/chat/completions/..%5c..",
    "/a\\v1\\models",
    "http://127.0.0.1/a/v1/models",
    "http://other/-/ready/../a/v1/models",
    "*",
    "a/v1/models",
    "/a/v1/models#/-/ready",
    "/" + "a/" * 4000,
)
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "FOO", "get")
AUTHORIZATIONS: tuple[tuple[str, ...], ...] = (
    (),
    ("",),
    ("Bearer",),
    ("Bearer ",),
    ("Bearer wrong",),
    (f"bearer {value('all')}",),
    (f"Bearer  {value('all')}x",),
    (f"Basic {value('all')}",),
    (value("all"),),
    (f"Bearer {value('all')}, Bearer {value('all')}",),
    (f"Bearer {value('all')[:-1]}",),
    (f"Bearer {value('all').upper()}",),
    ("Bearer wrong", f"Bearer {value('all')}"),
    (f"Bearer {value('all')}", "Bearer wrong"),
    (f"Bearer {value('all')}\x0b",),
    ("Bearer .*",),
)
BODIES = (
    BODY,
    b"",
    b"{" * 5000,
    b"[" * 5000,
    b'{"model": "a", "model": "b.1"}',
    b'{"model": ["a"]}',
    b'{"mod\\u0065l": "a"}',
    b"\xef\xbb\xbf" + BODY,
    b"\xff\xfe\x00",
    b'{"model": "' + b"a" * 100_000 + b'"}',
)
HEADERS = (
    (),
    ("content-type: application/json", "content-type: text/plain"),
    ("content-type: application/json;charset=utf-16",),
    ("x-forwarded-for: 127.0.0.1", "x-envoy-internal: true"),
    ("x-envoy-original-path: /-/ready",),
    ("x-original-url: /-/ready", "x-rewrite-url: /-/ready"),
    (":path: /-/ready",),
    ("x-http-method-override: GET",),
    ("content-encoding: gzip",),
    ("connection: authorization, close",),
    ("upgrade: websocket", "connection: upgrade"),
    ("x-long: " + "x" * 70_000,),
    tuple(f"x-{number}: 1" for number in range(150)),
)


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with running_backend() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    made = gateway_plan(key("all"), key("few", "a"))
    folder = tmp_path_factory.mktemp("gateway")
    with running_gateway(folder, made, {"": backend.port}) as running:
        yield running


def send(gateway: Gateway, *parts: bytes, pause: float = 0, wait: float = 5) -> bytes:
    """Sends bytes as they are; returns what comes back until the end or a pause."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=wait) as connection:
        with suppress(OSError):
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
        got = b""
        with suppress(OSError):
            while b"\r\n\r\n" not in got and (part := connection.recv(65536)):
                got += part
        return got


def status(answer: bytes) -> int:
    """The status; 0 if the connection was closed without an answer."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def hostile(choose: random.Random) -> bytes:
    """A request without a valid key, made of odd parts."""
    body = choose.choice(BODIES)
    chosen = choose.choice(HEADERS)
    lines = [
        f"{choose.choice(METHODS)} {choose.choice((CHAT, *PATHS))} HTTP/1.1",
        "host: gateway",
        *(f"authorization: {text}" for text in choose.choice(AUTHORIZATIONS)),
        *chosen,
        *(
            []
            if any(h.startswith("content-type") for h in chosen)
            else ["content-type: application/json"]
        ),
        f"content-length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_no_hostile_request_reaches_a_model_without_a_key(
    gateway: Gateway, backend: Backend
) -> None:
    choose = random.Random(19)
    backend.seen.clear()
    statuses = [status(send(gateway, hostile(choose))) for _ in range(REQUESTS)]
    assert backend.seen == []
    assert {400, 401} <= set(statuses) <= {0, 200, 400, 401, 404, 405, 413, 426, 431, 501}
    # Only the path of the probe is answered.
    assert statuses.count(200) < REQUESTS / 10
    assert gateway.process.poll() is None
    assert chat(gateway, "a", "all").status == 200


@pytest.mark.parametrize("path", PATHS)
def test_with_a_limited_key_no_path_leads_to_another_model(
    gateway: Gateway, backend: Backend, path: str
) -> None:
    backend.seen.clear()
    for name in ("a", "b.1"):
        body = json.dumps({"model": name}).encode()
        for method in ("GET", "POST"):
            for target in {path, path.replace("/a", "/b.1")}:
                head = (
                    f"{method} {target} HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n"
                    f"authorization: Bearer {value('few')}\r\ncontent-length: {len(body)}\r\n\r\n"
                )
                send(gateway, head.encode() + body)
    assert all(seen.path.startswith("/a/v1/") for seen in backend.seen)
    assert not any(".." in seen.path or "%2f" in seen.path.lower() for seen in backend.seen)


def request(*lines: str, body: bytes = b"") -> bytes:
    head = [f"POST {CHAT} HTTP/1.1", "host: g", "content-type: application/json", *lines, "", ""]
    return "\r\n".join(head).encode() + body


AUTHORIZED = f"authorization: Bearer {value('few')}"


@pytest.mark.parametrize(
    "make",
    [
        # Two lengths, or a length and chunks: where one request ends must not be in doubt.
        lambda inner: request(
            AUTHORIZED, "content-length: 0", f"content-length: {len(inner)}", body=inner
        ),
        lambda inner: request(
            AUTHORIZED,
            f"content-length: {len(inner) + 5}",
            "transfer-encoding: chunked",
            body=b"0\r\n\r\n" + inner,
        ),
        lambda inner: request(
            AUTHORIZED, "transfer-encoding: chunked, identity", body=b"0\r\n\r\n" + inner
        ),
        lambda inner: request(AUTHORIZED, "transfer-encoding : chunked", body=b"0\r\n\r\n" + inner),
    ],
)
def test_no_request_hides_in_the_body_of_another(
    gateway: Gateway, backend: Backend, make: Callable[[bytes], bytes]
) -> None:
    backend.seen.clear()
    inner = b"POST /b.1/v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 0\r\n\r\n"
    send(gateway, make(inner), wait=1)
    assert not any("/b.1/" in seen.path for seen in backend.seen)
    assert chat(gateway, "a", "all").status == 200


def test_slow_and_unfinished_requests_hold_nobody_up(gateway: Gateway, backend: Backend) -> None:
    backend.seen.clear()
    open_ones = []
    for number in range(100):
        connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=5)
        length = f"content-length: {1000 + number}"
        connection.sendall(request(AUTHORIZED, length, body=b'{"model": "a"'))
        open_ones.append(connection)
    assert chat(gateway, "a", "all").status == 200
    assert len(backend.seen) == 1
    for connection in open_ones:
        connection.close()
    assert chat(gateway, "a", "all").status == 200


def test_a_body_sent_in_single_bytes_is_read(gateway: Gateway) -> None:
    head = request(AUTHORIZED, f"content-length: {len(BODY)}")
    assert status(send(gateway, head, *(bytes([byte]) for byte in BODY), pause=0.001)) == 200
