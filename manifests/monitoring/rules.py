"""Writes the rules of Prometheus: what is recorded of cost, and the alerts."""

from typing import Any

from manifests.monitoring.alerts import Alert
from manifests.monitoring.queries import RECORDED_COST, RECORDED_PLAN, Queries, or_zero
from manifests.monitoring.scraping import monitoring_metadata
from models.monitoring import MonitoringSystem
from planning import Plan

_KINDS = {
    MonitoringSystem.GMP: "Rules",
    MonitoringSystem.PROMETHEUS_OPERATOR: "PrometheusRule",
}


def rules_object(plan: Plan, alerts: tuple[Alert, ...]) -> dict[str, Any]:
    """The object with all rules; KeyError if nobody reads any.

    alerts: those that Prometheus itself looks after.
    """
    system = MonitoringSystem.NONE if plan.monitoring is None else plan.monitoring.system
    return {
        "apiVersion": system.api_version,
        "kind": _KINDS[system],
        "metadata": monitoring_metadata(plan, f"{plan.service.name}-rules"),
        "spec": rule_groups(plan, alerts),
    }


def rule_groups(plan: Plan, alerts: tuple[Alert, ...]) -> dict[str, Any]:
    """The rules in Prometheus's own form, as a file of rules holds them."""
    groups = [{"name": "ray-llm-cost", "interval": "1m", "rules": _recorded(plan)}]
    if alerts:
        written = [_alert(plan, alert) for alert in alerts]
        groups.append({"name": "ray-llm-alerts", "interval": "1m", "rules": written})
    return {"groups": groups}


def _recorded(plan: Plan) -> list[dict[str, Any]]:
    """What the stack costs an hour by the nodes that run, and a month as it was planned, in USD."""
    queries = Queries(plan=plan)
    service = {"service": queries.service}
    monitoring = plan.monitoring
    prices = () if monitoring is None else monitoring.node_usd_per_hour
    others = 0 if monitoring is None else monitoring.other_usd_per_hour
    nodes = [f"{or_zero(queries.nodes(pool))} * {price:f}" for pool, price in prices]
    total = plan.cost.total
    return [
        {
            "record": RECORDED_COST,
            "expr": " + ".join((*nodes, f"vector({others:.4f})")),
            "labels": service,
        },
        *(
            {
                "record": RECORDED_PLAN,
                "expr": f"vector({usd:.2f})",
                "labels": {**service, "level": level},
            }
            for level, usd in (
                ("minimum", total.minimum),
                ("typical", total.typical),
                ("maximum", total.maximum),
            )
        ),
    ]


def _alert(plan: Plan, alert: Alert) -> dict[str, Any]:
    channel = None if plan.monitoring is None else plan.monitoring.channel
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": alert.lasting,
        "labels": {
            "severity": alert.severity,
            **alert.labels(plan),
            **({} if channel is None else {"channel": channel}),
        },
        "annotations": {
            "summary": alert.summary,
            "description": alert.description(plan),
            "runbook": alert.runbook,
        },
    }
