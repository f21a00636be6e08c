"""On which pool a model runs: the one it names, or the cheapest listed one on which it fits.

Spot is never chosen for a model that names no spot pool, because Google takes spot nodes back at
30 s notice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.catalog import gpu_tiers
from models.problems import Problem, stops
from models.spelling import nearest
from planning.infrastructure.pool_price import PoolChoice, Rank
from planning.placement.ways_to_fit import does_not_fit
from planning.sizing.model_sizing import ModelSizing, ModelSpec, size_model


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where and how a model will run."""

    pool: str
    sizing: ModelSizing


def placement_of(
    spec: ModelSpec, pools: Sequence[PoolChoice], pools_complete: bool, region: str
) -> tuple[Placement | None, tuple[Problem, ...]]:
    """The placement of one model.

    pools_complete: False if the stack lists pools that could not be read; then a pool that is
    not found, or no pool that fits, is not reported.
    """
    named = spec.deployment.gpu
    if named is not None:
        return _on_named_pool(spec, named, pools, pools_complete, region)
    return _on_cheapest_pool(spec, pools, pools_complete, region)


def _on_named_pool(
    spec: ModelSpec, named: str, pools: Sequence[PoolChoice], pools_complete: bool, region: str
) -> tuple[Placement | None, tuple[Problem, ...]]:
    choice = next((pool for pool in pools if pool.id == named), None)
    if choice is None:
        if not pools_complete or not pools:
            return None, ()
        ids = [pool.id for pool in pools]
        missing = _missing_pool(named)
        problem = Problem(
            path=f"{spec.arguments.path}.gpu",
            value=named,
            reason="is not a pool of this stack",
            remedy=f"{nearest(named, ids)}Use one of {', '.join(ids)}{missing}",
            rule="pool-unknown",
        )
        return None, (problem,)
    sizing, problems = size_model(spec, choice.tier)
    if sizing is None or stops(problems):
        return None, problems
    if sizing.fits:
        return Placement(pool=choice.id, sizing=sizing), problems
    return None, (*problems, does_not_fit(spec, choice, sizing, pools, region))


def _missing_pool(named: str) -> str:
    tier = named.removesuffix("-spot")
    if tier not in gpu_tiers():
        return ""
    entry = f"{{tier: {tier}, spot: true}}" if named.endswith("-spot") else tier
    return f", or add `- {entry}` to ray-llm:gpuPools"


def _on_cheapest_pool(
    spec: ModelSpec, pools: Sequence[PoolChoice], pools_complete: bool, region: str
) -> tuple[Placement | None, tuple[Problem, ...]]:
    candidates: list[tuple[PoolChoice, ModelSizing, tuple[Problem, ...]]] = []
    refused: list[tuple[PoolChoice, tuple[Problem, ...]]] = []
    cheapest: Rank | None = None  # of those with the full context
    for pool in sorted((pool for pool in pools if not pool.spot), key=lambda pool: pool.rank(1)):
        if cheapest is not None and cheapest <= pool.rank(1):
            break  # not even a replica on one of its GPUs would be cheaper
        sizing, problems = size_model(spec, pool.tier)
        if sizing is None or stops(problems):
            refused.append((pool, problems))
        elif sizing.fits:
            candidates.append((pool, sizing, problems))
            full_length = sizing.max_model_len == spec.context.tokens
            if full_length and not sizing.doubtful:
                rank = pool.rank(sizing.gpus)
                cheapest = rank if cheapest is None else min(rank, cheapest)
        else:
            refused.append((pool, ()))
    if candidates:
        candidates = [entry for entry in candidates if not entry[1].doubtful] or candidates
        wanted = max(sizing.max_model_len for _, sizing, _ in candidates)
        # A cheaper pool with a shorter context than another pool serves is not chosen.
        full = [entry for entry in candidates if entry[1].max_model_len == wanted]
        pool, sizing, problems = min(full, key=lambda entry: entry[0].rank(entry[1].gpus))
        return Placement(pool=pool.id, sizing=sizing), problems
    if not pools_complete or not pools:
        return None, ()  # the pools' own problems say why there is none
    if not refused:
        problem = Problem(
            path=spec.arguments.path,
            reason="names no pool, and the stack lists spot pools only",
            remedy=f"Set gpu: {pools[0].id} to accept spot, or list an on-demand pool",
            rule="spot-only",
        )
        return None, (problem,)
    return None, _fits_nowhere(spec, pools, refused, region)


def _fits_nowhere(
    spec: ModelSpec,
    pools: Sequence[PoolChoice],
    refused: Sequence[tuple[PoolChoice, tuple[Problem, ...]]],
    region: str,
) -> tuple[Problem, ...]:
    """Why no listed pool will do: the broken rule alone if every pool breaks the same one."""
    if all(problems for _, problems in refused):
        rules = [{problem.rule for problem in stops(problems)} for _, problems in refused]
        if set.intersection(*rules):
            return refused[-1][1]
    largest = max(
        (pool for pool, problems in refused if not problems),
        key=lambda pool: pool.tier.gpu_memory_gib * pool.tier.gpu_count,
        default=None,
    )
    if largest is None:
        return tuple(problem for _, problems in refused for problem in stops(problems))
    sizing, _ = size_model(spec, largest.tier)
    if sizing is None:
        return ()
    return (does_not_fit(spec, largest, sizing, pools, region, largest_listed=True),)
