"""What a stack file may say of monitoring, promises and alerts."""

from typing import Any

import pytest

from models.monitoring import MonitoringSystem
from models.reading import read_stack
from tests.planning.small_stacks import planned, rules, small, stops, values

CHANNEL = "projects/acme/notificationChannels/12"


def problems(**keys: Any) -> list[str]:
    return [
        problem.sentence() for problem in read_stack("test", values([small()], **keys)).problems
    ]


def test_the_short_form_names_the_system() -> None:
    plan = planned([small()], monitoring="gmp")
    assert plan.monitoring is not None
    assert plan.monitoring.system is MonitoringSystem.GMP
    assert plan.monitoring.prometheus_namespace is None
    assert planned([small()], monitoring="none").monitoring is None
    assert planned([small()]).monitoring is None


def test_the_long_form_says_what_prometheus_selects_by() -> None:
    section = {"system": "prometheus-operator", "labels": {"release": "prom"}, "namespace": "watch"}
    plan = planned([small()], monitoring=section)
    assert plan.monitoring is not None
    assert plan.monitoring.labels == (("release", "prom"),)
    assert plan.monitoring.prometheus_namespace == "watch"


@pytest.mark.parametrize(
    "section",
    [
        "prometheus",
        True,
        None,
        ["gmp"],
        {"system": "gmp", "labels": {"a": "b"}},
        {"system": "gmp", "namespace": "x"},
        {"system": "prometheus-operator", "labels": {"a b": "c"}},
        {"system": "prometheus-operator", "labels": {"-x/a": "c"}},
        {"system": "prometheus-operator", "labels": {"release": ""}},
        {"system": "prometheus-operator", "namespace": "A"},
        {"sytem": "gmp"},
    ],
)
def test_what_is_not_a_system_is_one_sentence(section: Any) -> None:
    found = problems(monitoring=section)
    assert found
    assert all("ray-llm:monitoring" in sentence for sentence in found)


def test_whoever_writes_no_system_is_told_the_short_form() -> None:
    [said] = problems(monitoring=True)
    assert "gmp, prometheus-operator, none" in said


def test_a_section_of_one_key_is_written_out() -> None:
    [problem] = stops([small()], slo=2, monitoring="gmp")
    assert "{timeToFirstTokenSeconds: 2}" in problem.sentence()


@pytest.mark.parametrize("channel", ["{{", "on-{{ .Call }}", "{{ $labels.model }}"])
def test_a_label_of_prometheus_is_no_template(channel: str) -> None:
    """promtool refuses a file of rules for the first of these."""
    found = stops([small()], monitoring="prometheus-operator", alerts={"channel": channel})
    assert rules(found) == {"alerts-channel"}


def test_a_promise_that_nothing_compares_is_a_warning() -> None:
    """The V0 engine exports no time to the first token through Ray."""
    sections = {"monitoring": "gmp", "slo": {"timeToFirstTokenSeconds": 2}}
    silent = small(name="silent", engine={"disable_log_stats": True})

    def said(model: Any, **keys: Any) -> bool:
        return "slo-unseen" in rules(planned([model], **keys).warnings)

    assert said(silent, **sections)
    assert not said(small(), **sections)
    assert not said(silent, monitoring="gmp")
    assert not said(silent, **sections, accept=["slo-unseen"])


@pytest.mark.parametrize("seconds", [0, -1, "2 s", 4000, float("nan"), True])
def test_a_promise_is_a_time(seconds: Any) -> None:
    assert problems(slo={"timeToFirstTokenSeconds": seconds}, monitoring="gmp")


def test_promises_and_channels_without_metrics_stop_the_preview() -> None:
    for section in ({"slo": {"timeToFirstTokenSeconds": 2}}, {"alerts": {"channel": CHANNEL}}):
        assert rules(stops([small()], **section)) == {"alerts-without-monitoring"}


def test_a_channel_has_the_form_of_its_system() -> None:
    found = stops([small()], monitoring="gmp", alerts={"channel": "#on-call"})
    assert rules(found) == {"alerts-channel"}
    operator = planned(
        [small()], monitoring="prometheus-operator", alerts={"channel": "on-call"}
    ).monitoring
    assert operator is not None
    assert operator.channel == "on-call"


def test_prices_are_those_of_the_plan() -> None:
    plan = planned([small()], monitoring="gmp", prices={"l4": {"onDemand": 0.9}})
    assert plan.monitoring is not None
    assert str(dict(plan.monitoring.node_usd_per_hour)["l4"]) == "0.9"
    fixed = float(plan.monitoring.other_usd_per_hour)
    assert 0.1 < fixed < 1  # a CPU node and GKE's fee
