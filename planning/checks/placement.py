"""Placements that cost too much or fail easily: an oversized GPU, a single replica on spot."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from models.problems import Problem, stops
from models.ways_out import outside, together, use
from planning.checks.contexts import PlacedContext
from planning.infrastructure.pool_price import PoolChoice
from planning.placement.other_pools import other_pools
from planning.plan import GIB, ModelPlan
from planning.sizing.model_sizing import ModelSpec, size_model

# Below this there may be reasons for a dearer pool: speed, or GPUs that are paid for anyway.
_TIMES_DEARER: Final = Decimal(3)


def placement_problems(context: PlacedContext) -> Iterable[Problem]:
    """Warnings about the pool that a model is on, compared with the others of the stack."""
    spec, model = context.spec, context.model
    chosen = context.choice
    if spec.deployment.gpu is not None:
        yield from _oversized(spec, model, chosen, context.choices)
    if chosen.spot and model.replicas.max == 1:
        yield Problem(
            path=f"{model.path}.replicas",
            value="max 1",
            reason=f"puts the only replica on {chosen.id}, and Google takes {chosen.taken_back}: "
            "the model is down until another node has started and loaded it",
            remedy="Use more replicas, or an on-demand pool",
            rule="spot-single-replica",
            candidates=(
                together(
                    "use replicas: {min: 2, max: 2}",
                    use(f"{model.path}.replicas.min", 2),
                    use(f"{model.path}.replicas.max", 2),
                ),
                *other_pools(spec, None, context.choices, context.offer),
            ),
        )


def _oversized(
    spec: ModelSpec, model: ModelPlan, chosen: PoolChoice, pools: Sequence[PoolChoice]
) -> Iterable[Problem]:
    """Prices differ more than tenfold between tiers: https://cloud.google.com/compute/gpus-pricing."""
    price = _replica_price(chosen, model.gpus_per_replica)
    if price is None:
        return
    # Fewer GPUs hold fewer copies of what each holds whole, such as norms: a tenth at most.
    weight_bytes = 0.9 * model.gpus_per_replica * (model.fit.weight_bytes if model.fit else 0)
    for pool in sorted(pools, key=lambda pool: pool.rank(1)):
        cheapest = _replica_price(pool, 1)
        if pool.id == chosen.id or pool.spot or cheapest is None:
            continue
        if cheapest * _TIMES_DEARER > price:
            return  # the pools that follow are dearer still
        if weight_bytes > pool.tier.gpu_memory_gib * GIB * pool.tier.gpu_count:
            continue  # what takes most of the time here is to size a model where it cannot fit
        sizing, problems = size_model(spec, pool.tier)
        if sizing is None or stops(problems) or not sizing.fits:
            continue
        there = _replica_price(pool, sizing.gpus)
        same = sizing.max_model_len >= model.max_model_len and not sizing.doubtful
        if same and there is not None and there * _TIMES_DEARER <= price:
            yield Problem(
                path=f"{model.path}.gpu",
                value=chosen.id,
                reason=f"costs {price:.2f} USD an hour for a replica, and {model.name} runs with "
                f"the same context on {pool.id} for {there:.2f}",
                remedy="Accept the price for its speed",
                rule="gpu-oversized",
                candidates=(
                    use(f"{model.path}.gpu", pool.id),
                    outside("accept the price for its speed"),
                ),
            )
            return


def _replica_price(pool: PoolChoice, gpus: int) -> Decimal | None:
    node = pool.node_usd_per_hour
    return None if node is None else node * gpus / pool.tier.gpu_count
