"""Streams, stops, and what clients are told while a backend cannot answer."""

import http.client
import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localcloud.cluster.ports import free_port
from manifests.gateway.drain import drain_command
from manifests.gateway.places import CLUSTERS_FILE
from tests.gateway.backend import Handler, Seen, running_backend
from tests.gateway.client import CHAT, ask, chat
from tests.gateway.gateway import Gateway, running_gateway, value
from tests.manifests.gateway.stacks import gateway_plan, key
from tests.manifests.plans import model

PLAN = gateway_plan(key("all"), models=(model("a"),))


class Stepwise:
    """A backend's answer that sends a word whenever the test says so."""

    def __init__(self) -> None:
        self.words: queue.Queue[bytes] = queue.Queue()

    def __call__(self, handler: Handler, seen: Seen) -> None:
        handler.begin_stream()
        while word := self.words.get(timeout=60):
            handler.chunk(word)
        handler.chunk(b"")


@contextmanager
def stream(gateway: Gateway) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    headers = {"content-type": "application/json", "authorization": f"Bearer {value('all')}"}
    connection.request("POST", CHAT, json.dumps({"model": "a", "stream": True}), headers)
    try:
        yield connection.getresponse()
    finally:
        connection.close()


def test_each_word_of_a_stream_arrives_before_the_next_is_made(tmp_path: Path) -> None:
    steps = Stepwise()
    with (
        running_backend(steps) as backend,
        running_gateway(tmp_path, PLAN, {"": backend.port}) as gateway,
        stream(gateway) as answer,
    ):
        for word in (b"data: one\n\n", b"data: two\n\n"):
            steps.words.put(word)
            assert answer.read1() == word
        steps.words.put(b"")
        assert answer.read() == b""


def test_edits_of_every_file_cut_no_stream(tmp_path: Path) -> None:
    steps = Stepwise()
    more = gateway_plan(key("all", per_minute=600), key("x", "a"), models=(model("a"), model("b")))
    with (
        running_backend(steps) as backend,
        running_gateway(tmp_path, PLAN, {"": backend.port}) as gateway,
        stream(gateway) as answer,
    ):
        steps.words.put(b"one")
        assert answer.read1() == b"one"
        gateway.edit(more)
        gateway.wait_for(lambda: chat(gateway, "b", "x").status == 403)
        gateway.edit(gateway_plan(key("y"), models=(model("a"),)))
        # The gateway answers this itself: the backend would hold a request that still gets in.
        gateway.wait_for(lambda: ask(gateway, "/v1/models", method="GET", team="all").status == 401)
        steps.words.put(b"two")
        assert answer.read1() == b"two"
        steps.words.put(b"")
        assert answer.read() == b""


def test_a_drain_lets_streams_and_late_requests_end(tmp_path: Path) -> None:
    steps = Stepwise()
    with (
        running_backend(steps) as backend,
        running_gateway(tmp_path, PLAN, {"": backend.port}) as gateway,
    ):
        command = drain_command(admin_port=gateway.places.admin_port, seconds=1)
        with stream(gateway) as answer:
            steps.words.put(b"one")
            assert answer.read1() == b"one"
            drain = subprocess.Popen(command)
            # A balancer that does not know yet still sends requests.
            assert chat(gateway, "none", "all").status == 404
            with pytest.raises(subprocess.TimeoutExpired):
                drain.wait(3)
            steps.words.put(b"two")
            steps.words.put(b"")
            assert answer.read() == b"two"
        assert drain.wait(30) == 0
        gateway.process.terminate()
        assert gateway.process.wait(10) == 0


def test_a_drain_of_a_gateway_that_is_gone_ends(tmp_path: Path) -> None:
    command = drain_command(admin_port=free_port(), seconds=1)
    assert subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


def test_a_backend_that_is_away_is_said_to_be_unavailable(tmp_path: Path) -> None:
    with running_gateway(tmp_path, PLAN, {"": free_port()}) as gateway:
        reply = chat(gateway, "a", "all")
        assert (reply.status, reply.error["code"]) == (503, "service_unavailable")
        assert int(reply.headers["retry-after"]) > 0


def test_a_backend_that_comes_back_at_once_is_not_noticed(tmp_path: Path) -> None:
    port = free_port()
    with running_gateway(tmp_path, PLAN, {"": port}) as gateway:
        found: list[int] = []
        asker = threading.Thread(target=lambda: found.append(chat(gateway, "a", "all").status))
        asker.start()
        gateway.wait_for(lambda: gateway.number("cluster.a/.upstream_rq_retry") > 0)
        with running_backend(port=port):
            asker.join()
    assert found == [200]


def test_a_full_queue_is_said_to_be_full(tmp_path: Path) -> None:
    """The gateway's own bound, with a smaller number: one request in progress and one waiting."""

    def one_at_a_time(files: dict[str, str]) -> None:
        if CLUSTERS_FILE in files:
            files[CLUSTERS_FILE] = files[CLUSTERS_FILE].replace("10000", "1")

    plan = gateway_plan(key("all"), models=(model("a"),), workers=1)
    steps = Stepwise()
    with (
        running_backend(steps) as backend,
        running_gateway(tmp_path, plan, {"": backend.port}, change=one_at_a_time) as gateway,
        stream(gateway) as first,
    ):
        waiting: list[int] = []
        waiter = threading.Thread(target=lambda: waiting.append(chat(gateway, "a", "all").status))
        waiter.start()
        gateway.wait_for(lambda: gateway.number("cluster.a/.upstream_rq_pending_active") == 1)
        reply = chat(gateway, "a", "all")
        assert (reply.status, reply.error["code"]) == (503, "service_unavailable")
        for _ in range(2):
            steps.words.put(b"")
        assert first.read() == b""
        waiter.join()
    assert waiting == [200]


def test_errors_of_the_backend_pass_as_they_are(tmp_path: Path) -> None:
    said = b'{"error": {"message": "its own", "code": 503}}'
    with (
        running_backend(lambda handler, seen: handler.send(503, said)) as backend,
        running_gateway(tmp_path, PLAN, {"": backend.port}) as gateway,
    ):
        reply = chat(gateway, "a", "all")
        assert (reply.status, reply.body) == (503, said)
        assert len(backend.seen) == 1


def test_a_request_that_a_backend_has_read_is_not_sent_again(tmp_path: Path) -> None:
    def hang_up(handler: Handler, seen: Seen) -> None:
        handler.connection.shutdown(2)
        handler.close_connection = True

    with (
        running_backend(hang_up) as backend,
        running_gateway(tmp_path, PLAN, {"": backend.port}) as gateway,
    ):
        assert chat(gateway, "a", "all").status == 503
        assert len(backend.seen) == 1


def test_connections_to_a_backend_end_so_that_another_cluster_gets_the_requests(
    tmp_path: Path,
) -> None:
    """KubeRay's switch of the Service; with one second in place of sixty."""

    def soon(files: dict[str, str]) -> None:
        if CLUSTERS_FILE in files:
            assert '"60s"' in files[CLUSTERS_FILE]
            files[CLUSTERS_FILE] = files[CLUSTERS_FILE].replace('"60s"', '"1s"')

    steps = Stepwise()
    with (
        running_backend(steps) as backend,
        running_gateway(tmp_path, PLAN, {"": backend.port}, change=soon) as gateway,
        stream(gateway) as answer,
    ):
        steps.words.put(b"one")
        assert answer.read1() == b"one"
        gateway.wait_for(lambda: gateway.number("cluster.a/.upstream_cx_max_duration_reached") > 0)
        steps.words.put(b"two")
        steps.words.put(b"")
        assert answer.read() == b"two"
