"""The component of monitoring: what it holds, and what Google's provider is needed for."""

import pytest

from components import Monitoring, MonitoringArgs
from manifests import monitoring_manifests
from models.monitoring import AlertSettings, MonitoringSettings, MonitoringSystem
from tests.components.programs import Record, plan_of

CHANNEL = "projects/acme-ml/notificationChannels/1"


def monitoring_of(system: MonitoringSystem, channel: str | None = None) -> Monitoring:
    alerts = None if channel is None else AlertSettings(channel=channel)
    plan = plan_of(monitoring=MonitoringSettings(system=system), alerts=alerts)
    manifests = monitoring_manifests(plan)
    assert manifests is not None
    return Monitoring("monitoring", MonitoringArgs(manifests=manifests))


@pytest.mark.parametrize("system", [MonitoringSystem.GMP, MonitoringSystem.PROMETHEUS_OPERATOR])
def test_everything_belongs_to_the_component(record: Record, system: MonitoringSystem) -> None:
    found = record(lambda: monitoring_of(system)).registrations
    (component,) = [item for item in found if item.type == "ray-llm:index:Monitoring"]
    assert all(item.parent == component.urn for item in found if item is not component)
    google = {item.type for item in found if item.type.startswith("gcp:")}
    assert google == (
        {"gcp:monitoring/dashboard:Dashboard"} if system is MonitoringSystem.GMP else set()
    )


def test_each_alert_is_a_policy_if_a_channel_of_google_is_told(record: Record) -> None:
    found = record(lambda: monitoring_of(MonitoringSystem.GMP, CHANNEL)).registrations
    policies = [item for item in found if item.type == "gcp:monitoring/alertPolicy:AlertPolicy"]
    assert len({item.urn for item in policies}) == len(policies) > 5
    assert all(item.inputs["notificationChannels"] == [CHANNEL] for item in policies)


def test_a_channel_of_alertmanager_is_a_label(record: Record) -> None:
    found = record(lambda: monitoring_of(MonitoringSystem.PROMETHEUS_OPERATOR, "on-call"))
    groups = found.one("PrometheusRule").inputs["spec"]["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert {rule["labels"]["channel"] for rule in alerts} == {"on-call"}
