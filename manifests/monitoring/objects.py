"""All that monitors a service: what is collected, rules, dashboards and alert policies."""

from dataclasses import dataclass
from typing import Any

from manifests.monitoring.alerts import alerts
from manifests.monitoring.google import GoogleMonitoring, alert_policy, google_dashboard
from manifests.monitoring.panels import dashboards
from manifests.monitoring.rules import rules_object
from manifests.monitoring.scraping import pod_monitors
from manifests.monitoring.token_check import token_check
from models.monitoring import MonitoringSystem
from planning import Plan


@dataclass(frozen=True, kw_only=True)
class MonitoringManifests:
    """What is written for the monitoring system.

    system: who collects the metrics.
    pod_monitors: what tells it which pods to ask.
    rules: recorded figures, and the alerts that no policy of Google looks after.
    dashboards: ConfigMaps for Grafana.
    token_check: what asks the hub whether it still takes the token; empty without one.
    google: None unless Google collects the metrics.
    """

    system: MonitoringSystem
    pod_monitors: tuple[dict[str, Any], ...]
    rules: dict[str, Any]
    dashboards: tuple[dict[str, Any], ...]
    token_check: tuple[dict[str, Any], ...]
    google: GoogleMonitoring | None


def monitoring_manifests(plan: Plan) -> MonitoringManifests | None:
    """The monitoring of a plan; None if nobody collects metrics.

    With a notification channel of Google's, the alerts are policies of Google Cloud Monitoring;
    otherwise they are rules of Prometheus, whose Alertmanager tells people. They are never both, or
    people would be told twice.
    """
    monitoring = plan.monitoring
    if monitoring is None:
        return None
    # Its SDK would lengthen the start of every program by a fifth of a second.
    from manifests.monitoring.grafana import grafana_config_map

    pages, all_alerts = dashboards(plan), alerts(plan)
    by_google = monitoring.system is MonitoringSystem.GMP
    channel = monitoring.channel if by_google else None
    return MonitoringManifests(
        system=monitoring.system,
        pod_monitors=pod_monitors(plan, monitoring.system),
        rules=rules_object(plan, () if channel else all_alerts),
        dashboards=tuple(grafana_config_map(plan, page) for page in pages),
        token_check=token_check(plan),
        google=GoogleMonitoring(
            project=plan.project,
            dashboards={page.id: google_dashboard(plan, page) for page in pages},
            alert_policies={
                "-".join((alert.name, *alert.about.values())): alert_policy(plan, alert, channel)
                for alert in all_alerts
            }
            if channel
            else {},
        )
        if by_google
        else None,
    )
