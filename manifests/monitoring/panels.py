"""What the dashboards show: one of the whole service, and one for each model.

A panel is a title, a unit and queries. grafana.py and google.py draw the same panels.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal

from manifests.monitoring.queries import (
    RECORDED_COST,
    RECORDED_PLAN,
    Queries,
    of_application,
    of_deployment,
    of_engine,
    of_route,
    or_zero,
)
from planning import HOURS_PER_MONTH, ModelPlan, Plan

_LONGEST_ID: Final = 40
_PLAIN: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
Unit = Literal["s", "reqps", "percentunit", "short", "currencyUSD"]


@dataclass(frozen=True, kw_only=True)
class Query:
    """One line or group of lines of a panel.

    legend: of the line; `{{label}}` is replaced by the label of each.
    """

    expression: str
    legend: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One chart.

    unit: Grafana's name of it.
    """

    title: str
    unit: Unit
    queries: tuple[Query, ...]


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One page of charts.

    id: 40 characters at most, unique in a cluster, and the same after every update. It is a part
        of names of Kubernetes as well.
    """

    id: str
    title: str
    panels: tuple[Panel, ...]


def dashboards(plan: Plan) -> tuple[Dashboard, ...]:
    """The dashboard of the service, and one for each model."""
    queries = Queries(plan=plan)
    service = plan.service
    return (
        Dashboard(
            id=_page(f"{service.namespace}-{service.name}"),
            title=f"{service.name}: the whole service",
            panels=_of_service(queries, plan),
        ),
        *(
            Dashboard(
                id=_page(f"{service.namespace}-{service.name}-{model.name}"),
                title=f"{service.name}: {model.name}",
                panels=_of_model(queries, model),
            )
            for model in plan.models
        ),
    )


def _page(name: str) -> str:
    """An id for a name: the name itself, or its beginning with a hash where Grafana takes less."""
    if len(name) <= _LONGEST_ID and _PLAIN.fullmatch(name):
        return name
    readable = re.sub("[^a-z0-9]+", "-", name.lower())[: _LONGEST_ID - 9]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _of_service(queries: Queries, plan: Plan) -> tuple[Panel, ...]:
    # Ray Serve's own probes are requests without an application.
    asked = queries.series("requests", 'application!=""', window="5m")
    failed = queries.series("errors", 'error_code=~"5.."', window="5m")
    refused = queries.series("errors", 'error_code=~"4.."', window="5m")
    prompt = queries.series("prompt_tokens", window="5m")
    answer = queries.series("generation_tokens", window="5m")
    active, pending = queries.series("nodes_active"), queries.series("nodes_pending")
    gpus, working = 'Name="GPU"', 'State="USED"'
    keys = queries.series("key_requests", 'team!~"-.*"', window="5m")
    limited = queries.series("limited_requests", window="5m")
    answered = queries.series("gateway_requests", window="5m")
    by_gateway = Panel(
        title="Answers of the gateway",
        unit="reqps",
        queries=(
            Query(
                expression=f"sum by (response_code_class) (rate({answered}))",
                legend="{{response_code_class}}",
            ),
        ),
    )
    by_key = Panel(
        title="Requests by key, and those that limits refuse",
        unit="reqps",
        queries=(
            Query(expression=f"sum by (team) (rate({keys}))", legend="{{team}}"),
            Query(expression=f"sum(rate({limited}))", legend="refused"),
        ),
    )
    return (
        Panel(
            title="Requests",
            unit="reqps",
            queries=(Query(expression=f"sum by (route) (rate({asked}))", legend="{{route}}"),),
        ),
        Panel(
            title="Errors, as a share of all requests",
            unit="percentunit",
            queries=tuple(
                Query(
                    expression=f"{or_zero(f'sum(rate({errors}))')} / sum(rate({asked}))",
                    legend=legend,
                )
                for errors, legend in ((failed, "of the server"), (refused, "of the caller"))
            ),
        ),
        Panel(
            title="Tokens a second",
            unit="short",
            queries=(
                Query(expression=f"sum(rate({prompt}))", legend="read"),
                Query(expression=f"sum(rate({answer}))", legend="written"),
            ),
        ),
        Panel(
            title="USD an hour, by the nodes that run",
            unit="currencyUSD",
            queries=(
                Query(expression=queries.recorded(RECORDED_COST), legend="now"),
                Query(
                    expression=f"{queries.recorded(RECORDED_PLAN)} / {HOURS_PER_MONTH}",
                    legend="planned: {{level}}",
                ),
            ),
        ),
        Panel(
            title="GPUs paid for and working",
            unit="short",
            queries=(
                Query(
                    expression=f"sum({queries.series('ray_resources', gpus)})",
                    legend="paid for",
                ),
                Query(
                    expression=f"sum({queries.series('ray_resources', gpus, working)})",
                    legend="working",
                ),
            ),
        ),
        Panel(
            title="Nodes by pool",
            unit="short",
            queries=(
                Query(expression=f"sum by (NodeType) ({active})", legend="{{NodeType}}"),
                Query(
                    expression=f"sum by (NodeType) ({pending}) > 0",
                    legend="{{NodeType}}, wanted",
                ),
            ),
        ),
        *(() if plan.access is None else (by_gateway,)),
        *(() if plan.access is None or not plan.access.keys else (by_key,)),
    )


def _of_model(queries: Queries, model: ModelPlan) -> tuple[Panel, ...]:
    deployment, application = of_deployment(model), of_application(model)
    asked = queries.series("requests", application, window="5m")
    latency = queries.series("latency", application, suffix="_bucket", window="5m")
    starts = queries.series("replica_starts", deployment, window="30m")
    at_gateway = queries.series(
        "gateway_model_requests", of_route(model), 'response_code_class!=""', window="5m"
    )
    by_gateway = Panel(
        title="Answers through the gateway",
        unit="reqps",
        queries=(
            Query(
                expression=f"sum by (response_code_class) (rate({at_gateway}))",
                legend="{{response_code_class}}",
            ),
        ),
    )
    wanted = (
        (
            Query(
                expression=f"sum({queries.series('replicas_wanted', deployment)})", legend="wanted"
            ),
        )
        if queries.exports("replicas_wanted")
        else ()
    )
    return (
        Panel(
            title="Requests by answer",
            unit="reqps",
            queries=(
                Query(expression=f"sum by (status_code) (rate({asked}))", legend="{{status_code}}"),
            ),
        ),
        Panel(
            title="Whole answers",
            unit="s",
            queries=_quantiles(latency, "1000"),
        ),
        *(() if queries.plan.access is None else (by_gateway,)),
        *(_of_engines(queries, model) if model.has_engine_metrics else ()),
        Panel(
            title="Replicas",
            unit="short",
            queries=(
                Query(
                    expression=f"sum({queries.series('replicas_healthy', deployment)})",
                    legend="there",
                ),
                *wanted,
            ),
        ),
        Panel(
            title="Starts of replicas within 30 minutes",
            unit="short",
            queries=(
                Query(
                    expression=f"count(count by (replica) (last_over_time({starts})))",
                    legend="replicas",
                ),
            ),
        ),
    )


def _of_engines(queries: Queries, model: ModelPlan) -> tuple[Panel, ...]:
    engine, deployment = of_engine(model), of_deployment(model)
    times = {
        key: queries.series(key, engine, suffix="_bucket", window="5m")
        for key in ("first_token", "inter_token", "queue_time")
    }
    preemptions = queries.series("preemptions", engine, window="5m")
    return (
        Panel(title="Time to first token", unit="s", queries=_quantiles(times["first_token"])),
        Panel(title="Time between tokens", unit="s", queries=_quantiles(times["inter_token"])),
        Panel(
            title="Time in the engine's queue", unit="s", queries=_quantiles(times["queue_time"])
        ),
        Panel(
            title="Requests in the engines",
            unit="short",
            queries=(
                Query(expression=f"sum({queries.series('running', engine)})", legend="running"),
                Query(
                    expression=f"sum({queries.series('waiting', engine)})",
                    legend="waiting in engines",
                ),
                Query(
                    expression=f"sum({queries.series('queued', deployment)})",
                    legend="waiting for a replica",
                ),
            ),
        ),
        Panel(
            title="KV cache used",
            unit="percentunit",
            queries=(
                Query(expression=f"max({queries.series('kv_cache', engine)})", legend="fullest"),
                Query(expression=f"avg({queries.series('kv_cache', engine)})", legend="average"),
            ),
        ),
        Panel(
            title="Preemptions a second",
            unit="short",
            queries=(
                # No engine exports the counter before the first one.
                Query(expression=or_zero(f"sum(rate({preemptions}))"), legend="preemptions"),
            ),
        ),
    )


def _quantiles(buckets: str, divided_by: str = "") -> tuple[Query, ...]:
    divided = f" / {divided_by}" if divided_by else ""
    return tuple(
        Query(
            expression=f"histogram_quantile({quantile}, sum by (le) (rate({buckets}))){divided}",
            legend=legend,
        )
        for quantile, legend in (("0.5", "half within"), ("0.95", "95 % within"))
    )
