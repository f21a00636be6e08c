"""From model entries to model plans: each entry read, placed with the others, and checked there."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from models.catalog import task_arguments
from models.problems import Problem
from models.reading import Reading
from models.rules import RULES
from models.stack import ModelDeployment, StackSettings
from models.weights import WeightsPlace
from planning.checks import entry_problems, placed_problems
from planning.checks.contexts import EntryContext, PlacedContext
from planning.infrastructure.pool_price import PoolChoice
from planning.infrastructure.weights import mounted_folder, weights_path, weights_place
from planning.placement.cheapest_pool import Placement, placement_of
from planning.placement.joint_placement import PlacedModel, jointly
from planning.placement.other_pools import Offer
from planning.plan import ModelPlan, PoolPlan, ReleasePlan
from planning.sizing.autoscaling import replica_range, replicas, router_replicas
from planning.sizing.checkpoint import checkpoint_of
from planning.sizing.context_length import context_length
from planning.sizing.model_sizing import ModelSpec
from planning.sizing.stated_arguments import DECIDED, stated_arguments
from planning.sizing.task import TASK_ARGUMENTS


@dataclass(frozen=True, kw_only=True)
class ListedPools:
    """The pools that models can be placed on.

    complete: False if the stack lists pools that could not be read, so that the absence of a pool
    proves nothing.
    """

    plans: tuple[PoolPlan, ...]
    complete: bool

    @cached_property
    def choices(self) -> tuple[PoolChoice, ...]:
        """The pools as placement sees them."""
        return tuple(PoolChoice.of(pool) for pool in self.plans)


def model_plans(
    reading: Reading, settings: StackSettings, release: ReleasePlan | None, pools: ListedPools
) -> tuple[tuple[ModelPlan, ...], tuple[Problem, ...]]:
    """The models that can run, in the listed order, and what is wrong with all of them.

    reading: the source of the settings.
    """
    entries = [_on_own_pool(entry, reading, settings, release, pools) for entry in settings.models]
    alone = [model for model, _ in entries if model is not None]
    placed = iter(jointly(alone, pools.plans, settings.load_factor))
    plans: list[ModelPlan] = []
    problems: list[Problem] = []
    for model, found in entries:
        problems += found
        if model is not None:
            plan, found = _checked_plan(next(placed), pools, settings)
            plans += [] if plan is None else [plan]
            problems += found
    return tuple(plans), tuple(problems)


def _on_own_pool(
    deployment: ModelDeployment,
    reading: Reading,
    settings: StackSettings,
    release: ReleasePlan | None,
    pools: ListedPools,
) -> tuple[PlacedModel | None, tuple[Problem, ...]]:
    """A model on the pool that suits it alone, and all that is wrong with its entry."""
    path = deployment.path
    low, high, problems = replica_range(deployment, settings.defaults, path)
    spec, spec_problems = _spec(deployment, path, reading, settings, release)
    problems += spec_problems
    if spec is None:
        return None, problems
    placement, found = placement_of(spec, pools.choices, pools.complete, _offer(settings))
    if placement is None:
        return None, (*problems, *found)
    model = PlacedModel(
        spec=spec,
        placement=placement,
        problems=found,
        min_replicas=low,
        max_replicas=max(low, high),
    )
    return model, problems


def _offer(settings: StackSettings) -> Offer:
    return Offer(
        region=settings.region,
        zones=settings.cluster.zones,
        pools_are_default=settings.pools_are_default,
    )


def _spec(
    deployment: ModelDeployment,
    path: str,
    reading: Reading,
    settings: StackSettings,
    release: ReleasePlan | None,
) -> tuple[ModelSpec | None, tuple[Problem, ...]]:
    """What a model's sizing depends on; None if the model must not be sized."""
    checkpoint, problems = checkpoint_of(deployment, path, reading.directory)
    arguments, contradictions = stated_arguments(deployment, path)
    context = EntryContext(
        path=path,
        deployment=deployment,
        has_hugging_face_token=settings.has_hugging_face_token,
        checkpoint=checkpoint,
        release=release,
        mounted=mounted_folder(settings),
    )
    problems += (*contradictions, *entry_problems(context))
    unusable = any(RULES[problem.rule].unusable for problem in problems)
    if checkpoint is None or release is None or unusable:
        return None, problems
    length, length_problems = context_length(checkpoint, arguments, settings.defaults)
    problems += length_problems
    if length is None:
        return None, problems
    spec = ModelSpec(
        deployment=deployment,
        checkpoint=checkpoint,
        arguments=arguments,
        defaults=settings.defaults,
        release=release,
        context=length,
    )
    return spec, problems


def _checked_plan(
    placed: PlacedModel, pools: ListedPools, settings: StackSettings
) -> tuple[ModelPlan | None, tuple[Problem, ...]]:
    """A model's plan on its pool, and what is wrong with it there."""
    place = weights_place(placed.spec.deployment, settings)
    plan, problems = _model_plan(placed.spec, placed.placement, place)
    problems = (*placed.problems, *problems)
    if plan is None:
        return None, problems
    pool = next(pool for pool in pools.plans if pool.id == plan.pool)
    context = PlacedContext(
        spec=placed.spec, model=plan, pool=pool, choices=pools.choices, offer=_offer(settings)
    )
    return plan, (*problems, *placed_problems(context))


def _task_arguments(spec: ModelSpec) -> Mapping[str, object]:
    """What the release needs for the task, without what the entry says itself."""
    checkpoint, stated = spec.checkpoint, spec.arguments.engine
    of_release = task_arguments(checkpoint.task, spec.release.vllm)
    if any(name in stated for name in TASK_ARGUMENTS):
        of_release = {}
    needed = {**of_release, **checkpoint.engine}
    return {name: value for name, value in needed.items() if name not in stated}


def _model_plan(
    spec: ModelSpec, placement: Placement, place: WeightsPlace
) -> tuple[ModelPlan | None, tuple[Problem, ...]]:
    deployment, checkpoint, sizing = spec.deployment, spec.checkpoint, placement.sizing
    batching, path = sizing.batching, spec.arguments.path
    range_, problems = replicas(deployment, spec.defaults, path, batching.max_num_seqs)
    if range_ is None:
        return None, ()  # an empty range was reported with the entry
    derived = {argument for argument in DECIDED if spec.arguments.get(argument) is None}
    if deployment.gpu is None:
        derived.add("pool")
    plan = ModelPlan(
        path=path,
        name=deployment.served_name,
        family=checkpoint.family,
        source=checkpoint.source,
        pool=placement.pool,
        tensor_parallel_size=sizing.tensor_parallel_size,
        pipeline_parallel_size=sizing.pipeline_parallel_size,
        dtype=sizing.precision.dtype,
        quantization=sizing.precision.argument,
        quantization_shown=sizing.precision.shown,
        max_model_len=sizing.max_model_len,
        gpu_memory_utilization=batching.gpu_memory_utilization,
        max_num_seqs=batching.max_num_seqs,
        max_num_batched_tokens=batching.max_num_batched_tokens,
        enforce_eager=batching.enforce_eager,
        v0_engine=sizing.precision.v0_engine,
        replicas=range_,
        routers=router_replicas(range_),
        engine=dict(spec.arguments.engine),
        fit=sizing.fit,
        asks_prefix_caching=sizing.precision.asks_prefix_caching,
        lora_path=None if deployment.lora is None else deployment.lora.path,
        task=checkpoint.task,
        task_arguments=_task_arguments(spec),
        canary_of=deployment.canary_of,
        canary_percent=deployment.percent or 0,
        checkpoint_bytes=checkpoint.checkpoint_bytes,
        weights_place=place,
        image_streams=spec.release.image_streams,
        weights_path=weights_path(checkpoint.source, spec.arguments.engine, place),
        derived=frozenset(derived),
    )
    return plan, problems
