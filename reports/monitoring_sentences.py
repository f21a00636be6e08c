"""What a plan says of monitoring: who collects metrics, and who is told of alerts."""

from models.monitoring import MonitoringSystem
from reports.plan_data import MonitoringSummary, PlanSummary


def monitoring_sentences(plan: PlanSummary) -> tuple[str, ...]:
    """One sentence; none if nobody collects metrics."""
    found = plan.get("monitoring")
    if found is None:
        return ()
    if found["system"] == MonitoringSystem.GMP:
        return (f"Managed Prometheus collects metrics; {_told_by_google(found)}.",)
    route = f", by their label channel: {found['channel']}" if found["channel"] else ""
    return (
        f"The Prometheus in the namespace {found['namespace']} collects metrics; its Alertmanager "
        f"tells of alerts{route}.",
    )


def _told_by_google(found: MonitoringSummary) -> str:
    if found["channel"]:
        return f"Google Cloud tells {found['channel']} of alerts"
    return (
        "nobody is told of alerts but by an Alertmanager that the cluster's OperatorConfig names: "
        "ray-llm:alerts.channel names somebody"
    )
