"""What changes while the gateway runs: nothing is lost, and a broken file changes nothing."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manifests.gateway.places import KEYS_FILE, MODEL_RULES_FILE, ROUTES_FILE
from planning import ModelPlan, Plan
from tests.gateway.backend import Backend, running_backend
from tests.gateway.client import ask, chat
from tests.gateway.gateway import running_gateway, write_folder, write_keys
from tests.manifests.gateway.stacks import gateway_plan, key
from tests.manifests.plans import model

A, B = model("a"), model("b.1")


@pytest.fixture
def backend() -> Iterator[Backend]:
    with running_backend() as running:
        yield running


@contextmanager
def asking(ask_once: Callable[[], int]) -> Iterator[Counter[int]]:
    """Asks without a pause in two threads; counts the statuses."""
    seen: Counter[int] = Counter()
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            try:
                seen[ask_once()] += 1
            except OSError:
                seen[0] += 1

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_keys_and_models_come_and_go_without_a_lost_request(
    tmp_path: Path, backend: Backend
) -> None:
    few = gateway_plan(key("search"), models=(A,))
    more = gateway_plan(key("search"), key("support", "b.1"), models=(A, B))
    with (
        running_gateway(tmp_path, few, {"": backend.port}) as gateway,
        asking(lambda: chat(gateway, "a", "search").status) as seen,
    ):
        for _ in range(5):
            gateway.edit(more)
            gateway.wait_for(lambda: chat(gateway, "b.1", "support").status == 200)
            gateway.edit(few)
            gateway.wait_for(lambda: chat(gateway, "b.1", "support").status == 401)
        gateway.wait_for(lambda: seen[200] > 100)
    assert set(seen) == {200}


def test_the_last_key_can_be_taken_back(tmp_path: Path, backend: Backend) -> None:
    one, other = gateway_plan(key("one")), gateway_plan(key("other"))
    with running_gateway(tmp_path, one, {"": backend.port}) as gateway:
        assert chat(gateway, "a", "one").status == 200
        gateway.edit(other)
        gateway.wait_for(lambda: chat(gateway, "a", "other").status == 200)
        assert chat(gateway, "a", "one").status == 401


@pytest.mark.parametrize("first", ["keys", "rules"])
def test_a_new_limited_key_never_reaches_more_than_it_may(
    tmp_path: Path, backend: Backend, first: str
) -> None:
    """The Secret and the ConfigMap arrive at different times, in either order."""
    before = gateway_plan(key("search"))
    after = gateway_plan(key("search"), key("support", "a"))
    with running_gateway(tmp_path, before, {"": backend.port}) as gateway:
        if first == "keys":
            write_keys(tmp_path, after)
            gateway.wait_for(lambda: chat(gateway, "b.1", "support").status != 401)
            assert chat(gateway, "a", "support").status == 403
            assert chat(gateway, "b.1", "support").status == 403
        gateway.edit(after)
        gateway.wait_for(lambda: chat(gateway, "a", "support").status == 200)
        assert chat(gateway, "b.1", "support").status == 403


def test_without_keys_everybody_may_ask(tmp_path: Path, backend: Backend) -> None:
    with running_gateway(tmp_path, gateway_plan(), {"": backend.port}) as gateway:
        assert chat(gateway, "a").status == 200
        assert ask(gateway, "/b.1/v1/models", method="GET").status == 200
        listed = ask(gateway, "/v1/models", method="GET").json["data"]
        assert [card["id"] for card in listed] == ["a", "b.1"]


@pytest.mark.parametrize(
    "text",
    ["{", '{"resources": [{"@type": "type.googleapis.com/google.protobuf.Empty"}]}'],
)
def test_a_broken_file_of_keys_keeps_the_old_one_and_is_counted(
    tmp_path: Path, backend: Backend, text: str
) -> None:
    plan = gateway_plan(key("search"))
    with running_gateway(tmp_path, plan, {"": backend.port}) as gateway:
        pattern = "keys.*(update_failure|update_rejected|config_fail)"
        before = gateway.stats(pattern)
        write_folder(tmp_path / "keys", {KEYS_FILE: text})
        gateway.wait_for(lambda: gateway.stats(pattern) != before)
        assert chat(gateway, "a", "search").status == 200
        assert chat(gateway, "a").status == 401


def test_a_misspelt_field_opens_nothing(tmp_path: Path, backend: Backend) -> None:
    """Without its flag Envoy drops the field and lets everybody in."""
    plan = gateway_plan(key("search"))
    with running_gateway(tmp_path, plan, {"": backend.port}) as gateway:
        text = (tmp_path / "keys" / KEYS_FILE).read_text()
        assert '"rules"' in text
        before = gateway.stats("keys.*(update_failure|update_rejected|config_fail)")
        write_folder(tmp_path / "keys", {KEYS_FILE: text.replace('"rules"', '"rule"')})
        gateway.wait_for(
            lambda: gateway.stats("keys.*(update_failure|update_rejected|config_fail)") != before
        )
        assert chat(gateway, "a").status == 401


@pytest.mark.parametrize("file", [ROUTES_FILE, KEYS_FILE, MODEL_RULES_FILE])
def test_a_gateway_with_a_broken_file_is_not_ready(
    tmp_path: Path, backend: Backend, file: str
) -> None:
    def broken(files: dict[str, str]) -> None:
        if file in files:
            files[file] = "{"

    plan = gateway_plan(key("search"))
    with running_gateway(tmp_path, plan, {"": backend.port}, change=broken, wait=False) as gateway:
        gateway.wait_for(lambda: alive(gateway.admin))
        gateway.wait_for(lambda: answers(lambda: chat(gateway, "a", "search").status))
        assert not gateway.ready()
        assert chat(gateway, "a", "search").status in {404, 500}
        assert backend.seen == []


def alive(admin: Callable[[str], str]) -> bool:
    try:
        return "LIVE" in admin("/ready")
    except OSError:
        return False


def answers(ask_once: Callable[[], int]) -> bool:
    try:
        return ask_once() > 0
    except OSError:
        return False


def canary_plan(percent: int, *others: ModelPlan) -> Plan:
    canary = model("c", canary_of="a", canary_percent=percent)
    return gateway_plan(key("all"), key("few", "a"), models=(A, canary, *others))


def test_a_canary_gets_its_share_under_its_own_name(tmp_path: Path, backend: Backend) -> None:
    with running_gateway(tmp_path, canary_plan(30), {"": backend.port}) as gateway:
        replies = [chat(gateway, "a", "few").json for _ in range(300)]
        counts = Counter((reply["path"], reply["model"]) for reply in replies)
        assert counts.keys() == {("/a/v1/chat/completions", "a"), ("/c/v1/chat/completions", "c")}
        # Six standard deviations on either side of 90.
        assert 40 < counts["/c/v1/chat/completions", "c"] < 140
        gateway.wait_for(lambda: gateway.number("cluster.c/.upstream_rq_200") > 0)
        assert chat(gateway, "c", "few").status == 403
        gateway.edit(canary_plan(100))

        def all_go_to_the_canary() -> bool:
            return {chat(gateway, "a", "few").json["model"] for _ in range(20)} == {"c"}

        gateway.wait_for(all_go_to_the_canary)


def test_what_a_canary_is_sent_differs_in_the_model_only(tmp_path: Path, backend: Backend) -> None:
    body = {
        "model": "a",
        "seed": 2**53,
        "temperature": 0.7,
        "stream": False,
        "stop": None,
        "messages": [{"role": "user", "content": 'Größe "é" \n 😀'}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    }
    with running_gateway(tmp_path, canary_plan(100), {"": backend.port}) as gateway:
        assert ask(gateway, body=body, team="all").status == 200
    assert backend.seen[-1].json == {**body, "model": "c"}


def test_canaries_of_one_model_share_by_their_percentages(tmp_path: Path, backend: Backend) -> None:
    plan = canary_plan(50, model("d", canary_of="a", canary_percent=50))
    with running_gateway(tmp_path, plan, {"": backend.port}) as gateway:
        counts = Counter(chat(gateway, "a", "all").json["model"] for _ in range(100))
    assert counts.keys() == {"c", "d"}


def test_what_canaries_leave_goes_to_the_model(tmp_path: Path, backend: Backend) -> None:
    plan = canary_plan(30, model("d", canary_of="a", canary_percent=30))
    with running_gateway(tmp_path, plan, {"": backend.port}) as gateway:
        counts = Counter(chat(gateway, "a", "all").json["model"] for _ in range(300))
    # Six standard deviations on either side of 90, 90 and 120.
    assert 42 < counts["c"] < 138
    assert 42 < counts["d"] < 138
    assert 69 < counts["a"] < 171
