"""The plan whose alerts and dashboards are tried, and its series."""

from decimal import Decimal
from typing import Any

from manifests.monitoring.queries import Queries
from models.monitoring import MonitoringSystem
from planning import MonitoringPlan, Plan
from tests.manifests.gateway.stacks import gateway_plan, key
from tests.manifests.plans import model, plan, pool, replicas

MODEL = "qwen2.5-7b-instruct"
SLEEPER = "sleeper"
APPLICATION = f"{MODEL}-0123abcd"
DEPLOYMENT = "LLMServer:qwen2_5-7b-instruct"
TESTED = ("2.49.1", "2.60.0")


def monitoring(
    system: MonitoringSystem = MonitoringSystem.PROMETHEUS_OPERATOR, **changes: Any
) -> MonitoringPlan:
    values: dict[str, Any] = {
        "first_token_seconds": 2.0,
        "monthly_budget": Decimal(3000),
        "node_usd_per_hour": (("l4", Decimal("1.0")), ("l4-spot", Decimal("0.4"))),
        "other_usd_per_hour": Decimal("0.5"),
        "prometheus_namespace": "monitoring",
    }
    return MonitoringPlan(system=system, **{**values, **changes})


def monitored(ray: str = "2.60.0", **changes: Any) -> Plan:
    """A model that keeps a replica, one that sleeps, a spot pool, and a key with a limit."""
    gateway = gateway_plan(key("search", per_minute=60), key("free"))
    pools = changes.get("pools", (pool("l4"), pool("l4", spot=True)))
    values: dict[str, Any] = {
        "models": (
            model(MODEL, replicas=replicas(1, 2)),
            model(SLEEPER, pool=pools[-1].id, replicas=replicas(0, 2)),
        ),
        "pools": pools,
        "access": gateway.access,
        "monitoring": monitoring(),
    }
    return plan(ray=ray, **{**values, **changes})


def series(made: Plan, metric: str, suffix: Any = "", **labels: str) -> str:
    """One series, as a scrape of the plan's service stores it."""
    matchers = [f'{name}="{value}"' for name, value in labels.items()]
    return Queries(plan=made).series(metric, *matchers, suffix=suffix)
