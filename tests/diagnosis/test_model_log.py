"""Which logs of a model are read, against a small server in place of the API."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from diagnosis import LogLine, cluster_of
from diagnosis.observation import ModelLog
from tests.diagnosis.api_server import ApiServer, running
from tests.diagnosis.snapshots import ACTOR, WORKER, event, failing, small_plan, well
from tests.diagnosis.test_gathering import LOGS, NAMESPACE, answers
from tests.diagnosis.test_judgement import GATED

POD_LOG = f"{NAMESPACE}/pods/{WORKER}/log"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with running(ApiServer()) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        server.answers = answers(well())
        server.answers[LOGS] = "INFO 2026-11-29 10:00:00,000 chat -- Started.\n"
        server.answers[POD_LOG] = "2026-11-29T10:00:05.5Z ray start\n"
        yield server


def read(since: timedelta | None = None, model: str = "chat") -> ModelLog:
    plan = small_plan()
    found = next(item for item in plan.models if item.name == model)
    return cluster_of(plan).log(found, since)


def sources(lines: tuple[LogLine, ...]) -> set[str]:
    return {line.source for line in lines}


def test_replica_engine_pod_and_events_are_read_by_no_name_of_the_caller(
    server: ApiServer,
) -> None:
    server.answers[f"{NAMESPACE}/events"] = {
        "items": [event("BackOff", "Back-off pulling image", "Pod", WORKER)]
    }
    log = read()
    assert log.unread == ()
    assert sources(log.lines) == {"replica", "engine", "pod", "event"}
    asked = [query for _, path, query in server.asked if path == LOGS]
    assert {
        "filename": ["serve/replica_chat_r1.log"],
        "node_id": ["n1"],
        "lines": ["2000"],
    } in asked
    assert {query["suffix"][0] for query in asked if query.get("actor_id") == [ACTOR]} == {
        "out",
        "err",
    }
    assert {method for method, _, _ in server.asked} == {"GET"}


def test_of_a_model_without_replicas_serve_s_message_and_the_pool_s_pods_are_shown(
    server: ApiServer,
) -> None:
    server.answers |= answers(failing(GATED))
    log = read()
    assert sources(log.lines) >= {"serve", "pod", "event"}
    assert any("gated repo" in line.text and line.is_error for line in log.lines)


def test_since_leaves_older_lines_out(server: ApiServer) -> None:
    """The server's clock is this machine's, and the lines are of another day."""
    assert read(timedelta(seconds=1)).lines == ()
    [query] = [query for _, path, query in server.asked if path == POD_LOG]
    assert query["sinceSeconds"] == ["1"]


def test_what_does_not_answer_costs_only_itself(server: ApiServer) -> None:
    server.answers[LOGS] = 500
    log = read()
    assert sources(log.lines) == {"pod", "event"}
    assert all("HTTP 500" in why for why in log.unread)
