"""Writes dashboards and alert policies of Google Cloud Monitoring, which speaks PromQL as well."""

import json
from dataclasses import dataclass
from typing import Any, Final

from manifests.monitoring.alerts import Alert
from manifests.monitoring.panels import Dashboard, Panel
from planning import Plan

# A mosaic has 48 columns.
_WIDTH, _HEIGHT, _COLUMNS = 24, 16, 2
_SEVERITY: Final = {"critical": "CRITICAL", "warning": "WARNING"}
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
# https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.metricDescriptors (unit)
_UNITS: Final = {
    "s": "s",
    "reqps": "1/s",
    "percentunit": "10^2.%",
    "short": "1",
    "currencyUSD": "USD",
}


@dataclass(frozen=True, kw_only=True)
class GoogleMonitoring:
    """What Google Cloud Monitoring holds.

    dashboards: the JSON of each, by a short name.
    alert_policies: the arguments of the provider's AlertPolicy of each, by a short name.
    """

    project: str
    dashboards: dict[str, str]
    alert_policies: dict[str, dict[str, Any]]


def google_dashboard(plan: Plan, dashboard: Dashboard) -> str:
    """The dashboard in the form of Google's API, with the stack in its title as alerts have it."""
    tiles = [
        {
            "xPos": index % _COLUMNS * _WIDTH,
            "yPos": index // _COLUMNS * _HEIGHT,
            "width": _WIDTH,
            "height": _HEIGHT,
            "widget": _widget(panel),
        }
        for index, panel in enumerate(dashboard.panels)
    ]
    layout = {"columns": _WIDTH * _COLUMNS, "tiles": tiles}
    title = f"{plan.stack}: {dashboard.title}"
    return json.dumps({"displayName": title, "mosaicLayout": layout}, indent=2)


def _widget(panel: Panel) -> dict[str, Any]:
    return {
        "title": panel.title,
        "xyChart": {
            "dataSets": [
                {
                    "plotType": "LINE",
                    "legendTemplate": query.legend.replace("{{", "${metric.labels.").replace(
                        "}}", "}"
                    ),
                    "timeSeriesQuery": {
                        "prometheusQuery": query.expression,
                        "unitOverride": _UNITS[panel.unit],
                    },
                }
                for query in panel.queries
            ]
        },
    }


def alert_policy(plan: Plan, alert: Alert, channel: str) -> dict[str, Any]:
    """The arguments of an AlertPolicy that tells a notification channel.

    Its title names the stack, because a project may hold several with services of one name.
    """
    title = " ".join((alert.name, *alert.about.values()))
    return {
        "project": plan.project,
        "displayName": f"{plan.stack}: {title}",
        "combiner": "OR",
        "severity": _SEVERITY[alert.severity],
        "conditions": [
            {
                "displayName": title,
                "conditionPrometheusQueryLanguage": {
                    "query": alert.expression,
                    "duration": f"{int(alert.lasting[:-1]) * _SECONDS[alert.lasting[-1]]}s",
                    "evaluationInterval": "60s",
                    "alertRule": alert.name,
                    "labels": alert.labels(plan),
                    # A metric that nothing has exported yet is unknown to Google.
                    "disableMetricValidation": True,
                },
            }
        ],
        "documentation": {
            "content": f"{alert.summary}\n\n{alert.description(plan)}",
            "mimeType": "text/markdown",
        },
        "notificationChannels": [channel],
        "userLabels": {"ray-llm": plan.service.name},
    }
