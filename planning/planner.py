"""From settings to the Plan: calls every decision once, gathers every problem, tries ways out."""

from dataclasses import dataclass, replace

from models.problems import Problem, StackError, stops
from models.reading import Reading, reading_of
from models.stack import StackSettings
from planning.access import access_plan
from planning.budget.cost import stack_cost
from planning.budget.off_hours import off_hours_plan
from planning.budget.quota import quota_needs
from planning.checks import stack_problems
from planning.checks.accepted_warnings import not_accepted, unused_accept_problems
from planning.checks.contexts import StackContext
from planning.infrastructure.cluster import HEAD, cluster_plan, router_group
from planning.infrastructure.cost_labels import stack_cost_labels
from planning.infrastructure.node_pools import pool_plans, with_nodes
from planning.infrastructure.releases import release_plan
from planning.infrastructure.weights import beside_the_sidecar, weights_plan
from planning.model_plans import ListedPools, model_plans
from planning.monitoring import monitoring_plan
from planning.plan import Plan, PoolPlan, ServicePlan
from planning.sizing.measured_speed import measured_speeds
from planning.tried_ways import Verdict, with_tried_ways


def make_plan(reading: Reading) -> Plan:
    """The plan of a stack.

    Raises StackError with every problem that stops it, those of reading included, each with ways
    out that were tried.
    """
    decision = _decided(reading)
    found = stops(decision.verdict.problems)
    shown = with_tried_ways(found or decision.verdict.problems, reading, decision.verdict, _verdict)
    if found or decision.plan is None:
        raise StackError(reading.origin, shown)
    return replace(decision.plan, warnings=shown)


@dataclass(frozen=True, kw_only=True)
class _Decision:
    """The plan, None if something stops it, and what was found on the way."""

    plan: Plan | None
    verdict: Verdict


def _verdict(reading: Reading) -> Verdict:
    return _decided(reading).verdict


def _decided(reading: Reading) -> _Decision:
    settings = reading.settings
    if settings is None:
        return _Decision(plan=None, verdict=Verdict(problems=reading.problems, cost=None))
    cluster, problems = cluster_plan(settings)
    release, release_problems = release_plan(settings.versions, settings.kube_ray.install)
    pools, pool_problems = pool_plans(settings)
    pools = beside_the_sidecar(pools, settings)
    complete = reading.pools_complete and not stops(pool_problems)
    listed = ListedPools(plans=pools, complete=complete)
    models, model_problems = model_plans(reading, settings, release, listed)
    pools, routers = with_nodes(pools, models), router_group(models)
    speeds, speed_problems = measured_speeds(reading.directory, settings, models, pools, release)
    stated = settings.access
    access = None if stated is None else access_plan(stated, settings.service.name)
    gateway = None if access is None else access.gateway
    cost = stack_cost(settings, pools, models, HEAD, routers, access)
    quota = quota_needs(settings, cluster, pools, models, HEAD, routers, gateway)
    stack = StackContext(
        settings=settings,
        head=HEAD,
        routers=routers,
        pools=pools,
        models=models,
        cost=cost,
        quota=quota,
        access=access,
        access_complete=reading.access_complete,
    )
    problems = (*reading.problems, *problems, *release_problems, *pool_problems, *model_problems)
    problems += speed_problems
    problems += tuple(stack_problems(stack if complete else _without_pools(stack)))
    verdict = Verdict(
        problems=(
            *not_accepted(settings, problems),
            *unused_accept_problems(settings, problems),
        ),
        cost=cost if complete else None,
    )
    if release is None or stops(problems):
        return _Decision(plan=None, verdict=verdict)
    plan = Plan(
        stack=settings.stack,
        project=settings.project,
        region=settings.region,
        cluster=cluster,
        release=release,
        kube_ray=settings.kube_ray,
        rollout=settings.rollout,
        service=ServicePlan(
            name=settings.service.name,
            namespace=settings.service.namespace,
            pod_security=settings.service.pod_security,
            head_recovery=settings.service.head_recovery,
        ),
        head=HEAD,
        router_group=routers,
        pools=pools,
        models=models,
        has_hugging_face_token=settings.has_hugging_face_token,
        hugging_face_token=settings.hugging_face_token,
        cost=cost,
        quota=quota,
        access=access,
        off_hours=off_hours_plan(settings, models),
        cost_labels=stack_cost_labels(settings),
        pods_have_cost_labels=settings.cost_allocation is not None
        and settings.cost_allocation.pods,
        speeds=speeds,
        monitoring=monitoring_plan(
            settings, [(pool.id, pool.node_usd_per_hour) for pool in pools], cost
        ),
        weights=weights_plan(settings, models),
        warnings=verdict.problems,
    )
    return _Decision(plan=plan, verdict=verdict)


def gpu_pools(settings: StackSettings) -> tuple[tuple[PoolPlan, ...], tuple[Problem, ...]]:
    """The GPU pools of settings whose models, if any, are deployed by others.

    The pools have no node counts, because no models are placed. With them comes what is wrong with
    them, warnings included but for those that the settings accept.
    """
    pools, problems = pool_plans(settings)
    found = not_accepted(settings, problems)
    before = Verdict(problems=found, cost=None)
    return pools, with_tried_ways(found, reading_of(settings), before, _verdict_on_pools)


def _verdict_on_pools(reading: Reading) -> Verdict:
    settings = reading.settings
    problems = () if settings is None else not_accepted(settings, pool_plans(settings)[1])
    return Verdict(problems=(*reading.problems, *problems), cost=None)


def _without_pools(stack: StackContext) -> StackContext:
    """The stack if a listed pool is missing: what all models need in total is then unknown."""
    return replace(stack, pools=(), models=(), cost=None, quota=())
