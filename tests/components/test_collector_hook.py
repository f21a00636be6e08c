"""What the hook of the first pod monitor finds in a cluster, and when it asks."""

from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from components import Monitoring, MonitoringArgs, collector_hook
from components.cluster_access import ClusterAccess
from components.collector_hook import look_for_kinds
from components.live_kinds import _kinds
from components.look_first import Judged
from manifests import monitoring_manifests
from models.monitoring import MonitoringSettings, MonitoringSystem
from models.problems import Problem
from rollouts import CollectorKinds, Sentence
from tests.components.programs import Record, plan_of
from tests.diagnosis.api_server import ApiServer, running

KINDS = CollectorKinds(
    system=MonitoringSystem.PROMETHEUS_OPERATOR, kinds=("PodMonitor", "PrometheusRule")
)
OPERATOR = "/apis/monitoring.coreos.com/v1"
GOOGLE = "/apis/monitoring.googleapis.com/v1"


def resources(*kinds: str) -> dict[str, Any]:
    return {"kind": "APIResourceList", "resources": [{"kind": kind} for kind in kinds]}


@pytest.fixture(autouse=True)
def preview(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector_hook.pulumi.runtime, "is_dry_run", lambda: True)


def looked(server: ApiServer, folder: Path) -> Judged:
    return look_for_kinds(KINDS, ClusterAccess(kubeconfig=str(server.kubeconfig(folder))))


def test_kinds_that_are_there_need_no_word(tmp_path: Path) -> None:
    with running(ApiServer()) as server:
        server.answers[OPERATOR] = resources("PodMonitor", "PrometheusRule", "PodMonitor")
        assert looked(server, tmp_path) is None


def test_a_group_that_the_cluster_does_not_have_stops(tmp_path: Path) -> None:
    with running(ApiServer()) as server:
        found = looked(server, tmp_path)
    assert isinstance(found, Problem)
    assert found.rule == "monitoring-kinds"
    assert "PodMonitor and PrometheusRule" in found.reason


@pytest.mark.parametrize("code", [401, 403, 500])
def test_a_refusal_is_said_and_stops_nothing(tmp_path: Path, code: int) -> None:
    with running(ApiServer()) as server:
        server.answers[OPERATOR] = code
        found = looked(server, tmp_path)
    assert isinstance(found, Sentence)
    assert "was not seen: the cluster cannot be asked for the kinds" in found.text


@pytest.mark.parametrize(
    "answer",
    ["<html>Sign in</html>", "null", '"kinds"', [], {"kind": "Status"}, {"resources": {"a": 1}}],
)
def test_an_answer_that_is_no_list_of_kinds_stops_nothing(tmp_path: Path, answer: Any) -> None:
    with running(ApiServer()) as server:
        server.answers[OPERATOR] = answer
        found = looked(server, tmp_path)
    assert isinstance(found, Sentence)
    assert "was not seen" in found.text


def test_a_page_is_no_word_of_the_api_server() -> None:
    page = httpx.Response(404, html="<h1>not found</h1>", request=httpx.Request("GET", "http://a"))
    with pytest.raises(httpx.HTTPStatusError):
        _kinds(page)
    assert _kinds(httpx.Response(404, text="404 page not found")) == frozenset()


def test_an_item_without_a_kind_is_passed_over(tmp_path: Path) -> None:
    with running(ApiServer()) as server:
        known = resources("PodMonitor", "PrometheusRule")
        server.answers[OPERATOR] = {"resources": [None, {"name": "x"}, *known["resources"]]}
        assert looked(server, tmp_path) is None


def test_the_other_system_is_asked_for_only_as_a_way_out(tmp_path: Path) -> None:
    with running(ApiServer()) as server:
        server.answers |= {OPERATOR: resources("PodMonitor", "PrometheusRule"), GOOGLE: 500}
        assert looked(server, tmp_path) is None
        assert [path for _, path, _ in server.asked] == [OPERATOR]
        server.answers[OPERATOR] = 404
        assert isinstance(looked(server, tmp_path), Problem)


def test_a_server_that_does_not_answer_stops_nothing(tmp_path: Path) -> None:
    with running(ApiServer()) as server:
        server.kubeconfig(tmp_path)
    assert isinstance(looked(server, tmp_path), Sentence)


def test_an_up_does_not_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector_hook.pulumi.runtime, "is_dry_run", lambda: False)
    with running(ApiServer()) as server:
        assert looked(server, tmp_path) is None
    assert server.asked == []


@pytest.mark.parametrize(("look", "asks"), [(True, 1), (False, 0)])
def test_one_object_asks_unless_the_program_installs_the_kinds_itself(
    record: Record, monkeypatch: pytest.MonkeyPatch, look: bool, asks: int
) -> None:
    made: list[CollectorKinds] = []

    def hook(name: str, kinds: CollectorKinds, *_: Any) -> None:
        made.append(kinds)

    monkeypatch.setattr("components.monitoring.collector_hook", hook)
    plan = plan_of(monitoring=MonitoringSettings(system=MonitoringSystem.PROMETHEUS_OPERATOR))
    manifests = monitoring_manifests(plan)
    assert manifests is not None
    record(
        lambda: Monitoring("monitoring", MonitoringArgs(manifests=manifests, look_for_kinds=look))
    )
    assert made == [KINDS] * asks
