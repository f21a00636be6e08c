"""The alerts, one function each: when something is wrong that a person has to mend.

Each says in one sentence what users or the bill notice, and names its part of docs/alerts.md, which
says what to look at and what to change. tests/manifests/monitoring/alert_cases.py holds for each a
case in which it fires and one beside it in which it stays quiet.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from manifests.monitoring.queries import (
    RECORDED_COST,
    Queries,
    of_application,
    of_deployment,
    of_engine,
    of_pool,
    or_zero,
)
from manifests.monitoring.token_check import NAME as TOKEN_CHECK
from manifests.monitoring.token_check import checks_token
from planning import HOURS_PER_MONTH, KeyPlan, ModelPlan, Plan, PoolPlan, cold_start

RUNBOOK: Final = "docs/alerts.md"
# A pool may be short of nodes for some minutes without a fault of anybody.
_LEAST_PATIENCE_MINUTES: Final = 20
_PATIENCE_STEP_MINUTES: Final = 5
_ERROR_SHARE: Final = 0.01
_FULL_KV_CACHE: Final = 0.95
# Above the replicas that a rollout of all of them replaces.
_LEAST_RESTARTS: Final = 2


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert.

    expression: PromQL; the alert fires when it has had a value for `lasting`.
    about: the labels that say what it is about, as the model or the pool.
    severity: `critical` if users get no answers, `warning` if they or the bill soon notice.
    command: the command of `ray-llm` that looks at it first.
    """

    name: str
    expression: str
    lasting: str
    severity: Literal["critical", "warning"]
    about: dict[str, str]
    summary: str
    command: Literal["doctor", "cost"] = "doctor"

    @property
    def runbook(self) -> str:
        """Its page: a heading of docs/alerts.md."""
        return f"{RUNBOOK}#{self.name.lower()}"

    def labels(self, plan: Plan) -> dict[str, str]:
        """What tells it apart from the same alert of another stack or service."""
        return {"stack": plan.stack, "service": Queries(plan=plan).service, **self.about}

    def description(self, plan: Plan) -> str:
        """What to do, for a person who has nothing but the alert."""
        return (
            f"Run `ray-llm {self.command} --stack {plan.stack}` beside the stack file. "
            f"{self.runbook} says what else to look at, and which setting to change."
        )


def alerts(plan: Plan) -> tuple[Alert, ...]:
    """All alerts of a plan, those of models first."""
    queries = Queries(plan=plan)
    # Ray's autoscaler does not give up a pending worker of a pool that its models have left.
    placed = {model.pool for model in plan.models}
    used = [pool for pool in plan.pools if pool.id in placed]
    return (
        *(alert for rule in _OF_MODELS for m in plan.models for alert in rule(queries, m)),
        *(alert for rule in _OF_POOLS for pool in used for alert in rule(queries, pool)),
        *(alert for rule in _OF_KEYS for key in _keys(plan) for alert in rule(queries, key)),
        *(alert for rule in _OF_STACKS for alert in rule(queries)),
    )


def model_does_not_answer(queries: Queries, model: ModelPlan) -> Iterator[Alert]:
    """Requests to the model end, and all of them in an error of the server."""
    application = of_application(model)
    good = queries.series("requests", application, 'status_code!~"5.."', window="5m")
    every = queries.series("requests", application, window="5m")
    yield Alert(
        name="ModelDoesNotAnswer",
        expression=f"sum(increase({every})) > 0 and {or_zero(f'sum(increase({good}))')} == 0",
        lasting="2m",
        severity="critical",
        about={"model": model.name},
        summary=f"{model.name} does not answer: all its requests fail.",
    )


def model_has_no_replica(queries: Queries, model: ModelPlan) -> Iterator[Alert]:
    """Requests wait for a replica and none comes; or there is none where one has to be always.

    For so long, and not over a range of the past, because a range counts the time before the first
    sample as well, and every new service would begin with an alert.
    """
    deployment = of_deployment(model)
    healthy = queries.series("replicas_healthy", deployment)
    none = f"{or_zero(f'sum({healthy})')} == 0"
    kept = model.replicas.min > 0 and not _sleeps(queries.plan, model)
    waiting = f" and sum({queries.series('queued', deployment)}) > 0"
    minutes = _patience_minutes(queries.plan, model)
    yield Alert(
        name="ModelHasNoReplica",
        expression=none if kept else none + waiting,
        lasting=f"{minutes}m",
        severity="critical",
        about={"model": model.name},
        summary=f"{model.name} has had no replica for {minutes} minutes"
        f"{'' if kept else ', and requests wait for one'}.",
    )


def model_answers_with_errors(queries: Queries, model: ModelPlan) -> Iterator[Alert]:
    """More than one request in a hundred ends in an error of the server."""
    application = of_application(model)
    failed = queries.series("errors", application, 'error_code=~"5.."', window="10m")
    every = queries.series("requests", application, window="10m")
    yield Alert(
        name="ModelAnswersWithErrors",
        expression=f"sum(rate({failed})) / sum(rate({every})) > {_ERROR_SHARE}",
        lasting="5m",
        severity="critical",
        about={"model": model.name},
        summary=f"More than 1 % of the requests to {model.name} end in an error of the server.",
    )


def first_token_is_slow(queries: Queries, model: ModelPlan) -> Iterator[Alert]:
    """One first token in twenty comes later than the stack promises."""
    monitoring = queries.plan.monitoring
    promise = None if monitoring is None else monitoring.first_token_seconds
    if promise is None or not model.has_engine_metrics:
        return
    times = queries.series("first_token", of_engine(model), suffix="_bucket", window="10m")
    yield Alert(
        name="FirstTokenIsSlow",
        expression=f"histogram_quantile(0.95, sum by (le) (rate({times}))) > {promise:g}",
        lasting="10m",
        severity="warning",
        about={"model": model.name},
        summary=f"5 % of the answers of {model.name} begin later than {promise:g} s.",
    )


def queue_grows_at_maximum(queries: Queries, model: ModelPlan) -> Iterator[Alert]:
    """Requests wait and become more for ten minutes, and Ray Serve may start no further replica."""
    deployment = of_deployment(model)
    waiting = or_zero(f"sum({queries.series('queued', deployment)})")
    if model.has_engine_metrics:
        in_engines = queries.series("waiting", of_engine(model))
        waiting += f" + {or_zero(f'sum({in_engines})')}"
    healthy = f"sum({queries.series('replicas_healthy', deployment)})"
    yield Alert(
        name="QueueGrowsAtMaximum",
        expression=f"deriv(({waiting})[10m:1m]) > 0 and min_over_time(({waiting})[10m:1m]) > 0 "
        f"and min_over_time({healthy}[10m:1m]) >= {model.replicas.max}",
        lasting="1m",
        severity="warning",
        about={"model": model.name},
        summary=f"The queue of {model.name} has grown for 10 minutes, and it has the most replicas "
        f"that it may have: {model.replicas.max}.",
    )


def replica_restarts(queries: Queries, model: ModelPlan) -> Iterator[Alert]:
    """More replicas have gone within half an hour than a rollout replaces.

    The counter of starts begins at 1 in each replica, so that its increase shows nothing. Each has
    a name of its own, and those that are not there any more are counted.
    """
    starts = queries.series("replica_starts", of_deployment(model))
    window = queries.series("replica_starts", of_deployment(model), window="30m")
    gone = (
        f"count(count by (replica) (last_over_time({window}))) "
        f"- {or_zero(f'count(count by (replica) ({starts}))')}"
    )
    most = max(_LEAST_RESTARTS, model.replicas.max)
    yield Alert(
        name="ReplicaRestarts",
        expression=f"{gone} > {most}",
        lasting="1m",
        severity="critical",
        about={"model": model.name},
        summary=f"More than {most} replicas of {model.name} have started and gone within 30 "
        "minutes.",
    )


def kv_cache_is_full(queries: Queries, model: ModelPlan) -> Iterator[Alert]:
    """A replica's KV cache has been full for ten minutes, so that it keeps requests waiting."""
    if not model.has_engine_metrics:
        return
    used = queries.series("kv_cache", of_engine(model), window="10m")
    yield Alert(
        name="KvCacheIsFull",
        expression=f"max(avg_over_time({used})) > {_FULL_KV_CACHE}",
        lasting="5m",
        severity="warning",
        about={"model": model.name},
        summary=f"The KV cache of a replica of {model.name} has been full for 10 minutes.",
    )


def gpu_node_is_missing(queries: Queries, pool: PoolPlan) -> Iterator[Alert]:
    """Ray's autoscaler has wanted a node of the pool for a quarter of an hour."""
    pending = queries.series("nodes_pending", of_pool(pool.id))
    yield Alert(
        name="GpuNodeIsMissing",
        expression=f"sum({pending}) > 0",
        lasting="15m",
        severity="warning",
        about={"pool": pool.id},
        summary=f"A node of {pool.id} is wanted, and has not come for 15 minutes.",
    )


def spot_nodes_leave(queries: Queries, pool: PoolPlan) -> Iterator[Alert]:
    """There are fewer nodes than half an hour ago, although more are wanted.

    Of a pool whose nodes Google takes back: spot, or several ways to pay of which one ends.
    """
    if not pool.spot and not any(way.buying.ends for way in pool.ways):
        return
    active = f"sum({queries.series('nodes_active', of_pool(pool.id))})"
    pending = f"sum({queries.series('nodes_pending', of_pool(pool.id))})"
    yield Alert(
        name="SpotNodesLeave",
        expression=f"{active} < max_over_time({active}[30m:1m]) "
        f"and min_over_time({pending}[5m:1m]) > 0",
        lasting="5m",
        severity="warning",
        about={"pool": pool.id},
        summary=f"Nodes of {pool.id} leave faster than new ones come.",
    )


def key_is_at_its_limit(queries: Queries, key: KeyPlan) -> Iterator[Alert]:
    """A team asks for more than its limit, so that a part of its requests gets 429.

    Envoy counts refusals of all teams together, and what each team asked before the limit.
    """
    asked = queries.series("key_requests", f'team="{key.team}"', window="5m")
    refused = queries.series("limited_requests", window="5m")
    yield Alert(
        name="KeyIsAtItsLimit",
        expression=f"sum(rate({asked})) * 60 > {key.requests_per_minute} "
        f"and sum(rate({refused})) > 0",
        lasting="5m",
        severity="warning",
        about={"team": key.team},
        summary=f"{key.team} asks for more than its {key.requests_per_minute} requests a minute, "
        "and some are refused.",
    )


def budget_will_not_last(queries: Queries) -> Iterator[Alert]:
    """A month like the last seven days would cost more than the budget."""
    monitoring = queries.plan.monitoring
    if monitoring is None or monitoring.monthly_budget is None:
        return
    cost = queries.recorded(RECORDED_COST, window="7d")
    yield Alert(
        name="BudgetWillNotLast",
        expression=f"avg_over_time({cost}) * {HOURS_PER_MONTH} > {monitoring.monthly_budget:f}",
        lasting="1h",
        severity="warning",
        about={},
        summary="A month like the last 7 days costs more than the "
        f"{monitoring.monthly_budget:,f} USD of monthlyBudget.",
        command="cost",
    )


def token_is_refused(queries: Queries) -> Iterator[Alert]:
    """The hub refuses the stack's token, so that the next replica cannot load its weights."""
    if not checks_token(queries.plan):
        return
    failed = queries.series("pod_phase", f'pod=~"{TOKEN_CHECK}-.*"', 'phase="Failed"')
    yield Alert(
        name="TokenIsRefused",
        expression=f"sum({failed}) > 0",
        lasting="5m",
        severity="warning",
        about={},
        summary="The hub refuses the Hugging Face token: replicas that start from now on cannot "
        "load their weights.",
    )


_OF_MODELS: Final[tuple[Callable[[Queries, ModelPlan], Iterable[Alert]], ...]] = (
    model_does_not_answer,
    model_has_no_replica,
    model_answers_with_errors,
    first_token_is_slow,
    queue_grows_at_maximum,
    replica_restarts,
    kv_cache_is_full,
)
_OF_POOLS: Final[tuple[Callable[[Queries, PoolPlan], Iterable[Alert]], ...]] = (
    gpu_node_is_missing,
    spot_nodes_leave,
)
_OF_KEYS: Final[tuple[Callable[[Queries, KeyPlan], Iterable[Alert]], ...]] = (key_is_at_its_limit,)
_OF_STACKS: Final[tuple[Callable[[Queries], Iterable[Alert]], ...]] = (
    token_is_refused,
    budget_will_not_last,
)


def _keys(plan: Plan) -> tuple[KeyPlan, ...]:
    keys = () if plan.access is None else plan.access.keys
    return tuple(key for key in keys if key.requests_per_minute is not None)


def _patience_minutes(plan: Plan, model: ModelPlan) -> int:
    """Longer than the plan expects a replica to take from nothing, if it expects anything."""
    most = cold_start(model, plan.pool(model.pool)).anew.most or 0
    step = 60 * _PATIENCE_STEP_MINUTES
    return max(_LEAST_PATIENCE_MINUTES, (most // step + 1) * _PATIENCE_STEP_MINUTES)


def _sleeps(plan: Plan, model: ModelPlan) -> bool:
    return plan.off_hours is not None and any(
        model.name in window.models for window in plan.off_hours.windows
    )
