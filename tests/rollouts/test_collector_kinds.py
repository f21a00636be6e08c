"""What is said of a cluster that lacks the kinds of what collects metrics."""

import pytest

from models.monitoring import MonitoringSystem
from models.problems import Problem
from rollouts import CollectorKinds

GOOGLE = "monitoring.googleapis.com/v1"
OPERATOR = "monitoring.coreos.com/v1"
OF_GOOGLE = CollectorKinds(system=MonitoringSystem.GMP, kinds=("PodMonitoring", "Rules"))
OF_OPERATOR = CollectorKinds(
    system=MonitoringSystem.PROMETHEUS_OPERATOR, kinds=("PodMonitor", "PrometheusRule")
)


def stop(kinds: CollectorKinds, known: dict[str, frozenset[str]]) -> str:
    problem = kinds.judged(known)
    assert isinstance(problem, Problem)
    return problem.sentence()


@pytest.mark.parametrize("kinds", [OF_GOOGLE, OF_OPERATOR])
def test_nothing_is_said_of_a_cluster_that_knows_them(kinds: CollectorKinds) -> None:
    assert kinds.judged({kinds.api_version: frozenset({*kinds.kinds, "Other"})}) is None


def test_only_what_is_missing_is_named() -> None:
    text = stop(OF_OPERATOR, {OPERATOR: frozenset({"PodMonitor"})})
    assert "needs PrometheusRule of monitoring.coreos.com/v1, which the cluster does not" in text
    assert "`helm install" in text


def test_the_other_system_is_a_way_out_only_if_its_kinds_are_there() -> None:
    text = stop(OF_OPERATOR, {OPERATOR: frozenset(), GOOGLE: frozenset({"Rules"})})
    assert text.endswith("or set ray-llm:monitoring to `gmp`, whose kinds the cluster has.")
    text = stop(OF_GOOGLE, {OPERATOR: frozenset(), GOOGLE: frozenset()})
    assert "--enable-managed-prometheus" in text
    assert text.endswith("or set ray-llm:monitoring to `none`.")


def test_a_new_cluster_has_google_s_kinds_and_no_operator() -> None:
    assert OF_GOOGLE.of_a_new_cluster() is None
    said = OF_OPERATOR.of_a_new_cluster()
    assert said is not None
    assert said.warns
    assert "does not know the cluster yet" in said.text
