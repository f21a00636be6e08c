"""From settings to the Plan: calls every decision once and gathers every problem."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.problems import Problem, Severity, StackError, stops
from models.reading import Reading
from models.stack import ModelDeployment, StackSettings
from planning.budget.cost import budget_problems, stack_cost
from planning.budget.quota import quota_needs, quota_problems, upgrade_problems
from planning.checks.accepted_warnings import not_accepted
from planning.checks.cpu_pool import cpu_pool_machine_problems, router_capacity_problems
from planning.checks.engine_arguments import engine_argument_problems
from planning.checks.engine_rules import engine_problems, placed_engine_problems
from planning.checks.gated_weights import gated_weights_problems
from planning.checks.gpu_pool import capacity_problems, idle_minimum_problems
from planning.checks.host_resources import host_cpu_problems
from planning.checks.kubernetes_object_size import object_size_problems
from planning.checks.placement import placement_problems
from planning.checks.served_names import name_problems
from planning.infrastructure.cluster import HEAD, cluster_plan, router_group
from planning.infrastructure.node_pools import IMAGE_GB, PoolDecision, pool_decisions, with_nodes
from planning.infrastructure.releases import release_plan
from planning.placement.cheapest_pool import Placement, placement_of
from planning.placement.joint_placement import PlacedModel, jointly
from planning.plan import ModelPlan, Plan, PoolPlan, ReleasePlan, ServicePlan
from planning.sizing.autoscaling import (
    downscale_problems,
    replica_range,
    replicas,
    router_replicas,
    scale_to_zero_problems,
)
from planning.sizing.checkpoint import Checkpoint, checkpoint_of
from planning.sizing.context_length import context_length
from planning.sizing.model_sizing import ModelSpec
from planning.sizing.stated_arguments import DECIDED, stated_arguments


def make_plan(reading: Reading) -> Plan:
    """The plan of a stack.

    Raises StackError with every problem that stops it, those of reading included.
    """
    settings = reading.settings
    if settings is None:
        raise StackError(reading.origin, reading.problems)
    cluster, cluster_problems = cluster_plan(settings)
    release, release_problems = release_plan(settings.versions, settings.kube_ray.install)
    pools, pool_problems = pool_decisions(settings, reading.pool_indexes)
    problems = [
        *reading.problems,
        *cluster_problems,
        *release_problems,
        *pool_problems,
        *name_problems(settings.models, reading.model_indexes),
        *cpu_pool_machine_problems(settings),
    ]
    complete = reading.pools_complete and not stops(pool_problems)
    entries = [
        _Entry(deployment=deployment, index=index, directory=reading.directory)
        for deployment, index in zip(settings.models, reading.model_indexes, strict=True)
    ]
    found = [_placed(entry, settings, release, pools, complete) for entry in entries]
    placed = iter(
        jointly([model for model, _ in found if model is not None], pools, settings.load_factor)
    )
    models: list[ModelPlan] = []
    for entry, (alone, entry_problems) in zip(entries, found, strict=True):
        problems += entry_problems
        if alone is not None:
            plan, model_problems = _model(entry, next(placed), pools)
            problems += model_problems
            models += [] if plan is None else [plan]
    sized = tuple(_sized(pool.plan, models) for pool in pools)
    indexes = [pool.index for pool in pools]
    routers = router_group(models)
    cost = stack_cost(settings, sized, models, HEAD, routers)
    maxima = frozenset(
        pool.id for pool in settings.gpu_pools if "max_nodes" in pool.model_fields_set
    )
    quota = quota_needs(settings, cluster, sized, maxima, models, HEAD, routers)
    if complete:
        problems += capacity_problems(sized, indexes, models)
        problems += idle_minimum_problems(sized, indexes)
        problems += host_cpu_problems(sized, indexes, models)
        problems += router_capacity_problems(settings, HEAD, routers, models)
        problems += object_size_problems(models, len(sized))
        problems += upgrade_problems(sized, indexes)
        problems += quota_problems(quota)
        problems += budget_problems(cost)
    if stops(problems) or release is None:
        raise StackError(reading.origin, stops(problems))
    return Plan(
        stack=settings.stack,
        project=settings.project,
        region=settings.region,
        cluster=cluster,
        release=release,
        service=ServicePlan(name=settings.service.name, namespace=settings.service.namespace),
        head=HEAD,
        router_group=routers,
        pools=sized,
        models=tuple(models),
        has_hugging_face_token=settings.has_hugging_face_token,
        cost=cost,
        quota=quota,
        warnings=not_accepted(settings.accept, problems),
    )


def gpu_pools(settings: StackSettings) -> tuple[tuple[PoolPlan, ...], tuple[Problem, ...]]:
    """The GPU pools of settings whose models, if any, are deployed by others.

    The pools have no node counts, because no models were placed. Beside them comes what is wrong
    with them, warnings included; `ray-llm:accept` leaves out those that are known.
    """
    decisions, problems = pool_decisions(settings, tuple(range(len(settings.gpu_pools))))
    told = [
        problem
        for problem in problems
        if problem.severity is Severity.STOP or problem.rule not in settings.accept
    ]
    return tuple(decision.plan for decision in decisions), tuple(told)


@dataclass(frozen=True, kw_only=True)
class _Entry:
    deployment: ModelDeployment
    index: int
    directory: Path

    @property
    def path(self) -> str:
        return f"ray-llm:models[{self.index}]"


def _placed(
    entry: _Entry,
    settings: StackSettings,
    release: ReleasePlan | None,
    pools: Sequence[PoolDecision],
    pools_complete: bool,
) -> tuple[PlacedModel | None, tuple[Problem, ...]]:
    """One model on the pool that suits it alone, and all that is wrong with its entry."""
    deployment = entry.deployment
    checkpoint, problems = checkpoint_of(deployment, entry.path, entry.directory)
    arguments, contradictions = stated_arguments(deployment, entry.path)
    problems += contradictions
    low, high, range_problems = replica_range(deployment, settings.defaults, entry.path)
    problems += range_problems
    if checkpoint is not None:
        problems += tuple(
            gated_weights_problems(checkpoint, settings.has_hugging_face_token, entry.path)
        )
    if release is not None:
        problems += tuple(engine_argument_problems(deployment.engine, entry.path, release.vllm))
    mistyped = any(problem.rule == "engine-argument-type" for problem in problems)
    if checkpoint is not None and release is not None and not mistyped:
        problems += tuple(engine_problems(deployment.engine, checkpoint, entry.path, release.vllm))
    if checkpoint is None or release is None or _unusable(problems):
        return None, problems
    context, context_problems = context_length(checkpoint, arguments, settings.defaults)
    problems += context_problems
    if context is None:
        return None, problems
    spec = ModelSpec(
        deployment=deployment,
        checkpoint=checkpoint,
        arguments=arguments,
        defaults=settings.defaults,
        release=release,
        context=context,
    )
    choices = [pool.choice for pool in pools]
    placement, placement_problems = placement_of(spec, choices, pools_complete, settings.region)
    if placement is None:
        return None, (*problems, *placement_problems)
    placed = PlacedModel(
        spec=spec,
        placement=placement,
        problems=placement_problems,
        min_replicas=low,
        max_replicas=max(low, high),
    )
    return placed, problems


def _model(
    entry: _Entry, placed: PlacedModel, pools: Sequence[PoolDecision]
) -> tuple[ModelPlan | None, tuple[Problem, ...]]:
    """One model's plan on its pool, and what is wrong with it there."""
    spec, placement = placed.spec, placed.placement
    plan, problems = _model_plan(entry, spec, placement)
    problems = (*placed.problems, *problems)
    if plan is not None:
        ray = spec.release.ray
        problems += tuple(scale_to_zero_problems(plan.replicas.min, ray, entry.path))
        problems += tuple(downscale_problems(entry.deployment, plan.replicas, entry.path))
        pool = next(pool.plan for pool in pools if pool.plan.id == plan.pool)
        problems += tuple(_disk_problems(spec.checkpoint, pool, entry.path))
        problems += tuple(placed_engine_problems(spec.arguments, plan, pool))
        choices = [pool.choice for pool in pools]
        problems += tuple(placement_problems(spec, plan, choices))
    return plan, problems


def _unusable(problems: Iterable[Problem]) -> bool:
    """Whether a value is wrong that later decisions would compute with."""
    unusable = ("engine-argument-type", "engine-argument-range", "contradiction")
    return any(problem.rule in unusable for problem in problems)


def _model_plan(
    entry: _Entry, spec: ModelSpec, placement: Placement
) -> tuple[ModelPlan | None, tuple[Problem, ...]]:
    deployment, checkpoint = spec.deployment, spec.checkpoint
    chosen = placement.sizing
    batching = chosen.batching
    range_, problems = replicas(deployment, spec.defaults, entry.path, batching.max_num_seqs)
    if range_ is None:
        return None, ()  # the range was refused before a pool was sought
    derived = {argument for argument in DECIDED if spec.arguments.get(argument) is None}
    if deployment.gpu is None:
        derived.add("pool")
    plan = ModelPlan(
        path=entry.path,
        name=deployment.served_name,
        family=checkpoint.family,
        source=checkpoint.source,
        pool=placement.pool,
        tensor_parallel_size=chosen.tensor_parallel_size,
        pipeline_parallel_size=chosen.pipeline_parallel_size,
        dtype=chosen.precision.dtype,
        quantization=chosen.precision.argument,
        quantization_shown=chosen.precision.shown,
        max_model_len=chosen.max_model_len,
        gpu_memory_utilization=batching.gpu_memory_utilization,
        max_num_seqs=batching.max_num_seqs,
        max_num_batched_tokens=batching.max_num_batched_tokens,
        enforce_eager=batching.enforce_eager,
        v0_engine=chosen.precision.v0_engine,
        replicas=range_,
        routers=router_replicas(range_),
        engine=dict(spec.arguments.engine),
        fit=chosen.fit,
        derived=frozenset(derived),
    )
    return plan, problems


def _disk_problems(checkpoint: Checkpoint, pool: PoolPlan, path: str) -> Iterable[Problem]:
    if checkpoint.checkpoint_bytes is None:
        return
    needed = IMAGE_GB + checkpoint.checkpoint_bytes / 1e9
    if needed > pool.boot_disk_gb:
        yield Problem(
            path=path,
            value=checkpoint.source,
            reason=f"downloads {checkpoint.checkpoint_bytes / 1e9:.0f} GB of weights beside some "
            f"{IMAGE_GB} GB of image, and a node of {pool.id} has a disk of {pool.boot_disk_gb} GB",
            remedy=f"Set bootDiskGb: {-(-int(needed + 1) // 50) * 50} on the pool",
            rule="boot-disk",
        )


def _sized(pool: PoolPlan, models: Sequence[ModelPlan]) -> PoolPlan:
    placed = [model for model in models if model.pool == pool.id]
    return with_nodes(
        pool,
        [model.gpus_per_replica for model in placed for _ in range(model.replicas.min)],
        [model.gpus_per_replica for model in placed for _ in range(model.replicas.max)],
    )
