"""What the hook of the first pod monitor finds in a cluster, and when it asks."""

from pathlib import Path
from typing import Any

import pytest

from components import Monitoring, MonitoringArgs, collector_hook
from components.cluster_access import ClusterAccess
from components.collector_hook import look_for_kinds
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
