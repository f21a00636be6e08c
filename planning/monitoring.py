"""Who collects metrics, what the alerts compare them with, and who is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from models.monitoring import MonitoringSystem
from models.stack import StackSettings
from planning.plan_costs import HOURS_PER_MONTH, StackCost


@dataclass(frozen=True, kw_only=True)
class MonitoringPlan:
    """What is collected and compared.

    labels, prometheus_namespace: by what, and from where, Prometheus finds its targets; only of
        prometheus-operator.
    first_token_seconds: within which 95 of 100 answers shall begin; None without a promise.
    monthly_budget: USD a month; None without one.
    node_usd_per_hour: the price of a node, by pool; a pool without a known price is left out.
    other_usd_per_hour: what is paid besides GPU nodes, whatever runs: the CPU pool at its minimum,
        GKE's fee and the load balancer.
    channel: who is told; None if alerts only stand in the monitoring system.
    """

    system: MonitoringSystem
    labels: tuple[tuple[str, str], ...] = ()
    prometheus_namespace: str | None = None
    first_token_seconds: float | None = None
    monthly_budget: Decimal | None = None
    node_usd_per_hour: tuple[tuple[str, Decimal], ...] = ()
    other_usd_per_hour: Decimal = Decimal(0)
    channel: str | None = None


def monitoring_plan(
    settings: StackSettings, prices: Sequence[tuple[str, Decimal | None]], cost: StackCost
) -> MonitoringPlan | None:
    """What the stack measures; None if nobody collects anything.

    prices: the list price of a node by pool, USD an hour.
    """
    stated = settings.monitoring
    if stated.system is MonitoringSystem.NONE:
        return None
    slo, alerts = settings.slo, settings.alerts
    operator = stated.system is MonitoringSystem.PROMETHEUS_OPERATOR
    cpu_pool = None if cost.cpu_pool is None else cost.cpu_pool.monthly
    others = (cpu_pool, cost.cluster_fee, cost.load_balancer)
    fixed = (levels.minimum for levels in others if levels is not None)
    return MonitoringPlan(
        system=stated.system,
        labels=tuple(sorted(stated.labels.items())),
        prometheus_namespace=stated.namespace if operator else None,
        first_token_seconds=None if slo is None else slo.time_to_first_token_seconds,
        monthly_budget=settings.monthly_budget,
        node_usd_per_hour=tuple((pool, usd) for pool, usd in prices if usd is not None),
        other_usd_per_hour=sum(fixed, Decimal(0)) / HOURS_PER_MONTH,
        channel=None if alerts is None else alerts.channel,
    )
