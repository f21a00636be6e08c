"""On which pool a model runs: the one it names, or the cheapest listed one on which it fits.

Spot is never chosen for a model that does not name a spot pool, because spot nodes leave at 30 s
notice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.catalog import gpu_tiers
from models.problems import Problem, stops
from models.spelling import nearest
from planning.infrastructure.pool_price import PoolChoice, Rank
from planning.placement.ways_to_fit import does_not_fit
from planning.sizing.model_sizing import Configuration, Wish, configure


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where and how a model will run."""

    pool: str
    configuration: Configuration


def place(
    wish: Wish, pools: Sequence[PoolChoice], pools_complete: bool, region: str
) -> tuple[Placement | None, tuple[Problem, ...]]:
    """The placement of one model.

    pools_complete: False where the stack lists pools that could not be read; then a pool that
    is not found, or no pool that fits, is no finding.
    """
    named = wish.deployment.gpu
    if named is not None:
        return _on_named_pool(wish, named, pools, pools_complete, region)
    return _on_cheapest_pool(wish, pools, pools_complete, region)


def _on_named_pool(
    wish: Wish, named: str, pools: Sequence[PoolChoice], pools_complete: bool, region: str
) -> tuple[Placement | None, tuple[Problem, ...]]:
    choice = next((pool for pool in pools if pool.id == named), None)
    if choice is None:
        if not pools_complete or not pools:
            return None, ()
        ids = [pool.id for pool in pools]
        missing = _missing_pool(named)
        problem = Problem(
            place=f"{wish.said.place}.gpu",
            value=named,
            reason="is not a pool of this stack",
            remedy=f"{nearest(named, ids)}Use one of {', '.join(ids)}{missing}",
            rule="pool-unknown",
        )
        return None, (problem,)
    configuration, problems = configure(wish, choice.tier)
    if configuration is None or stops(problems):
        return None, problems
    if configuration.fits:
        return Placement(pool=choice.id, configuration=configuration), problems
    return None, (*problems, does_not_fit(wish, choice, configuration, pools, region))


def _missing_pool(named: str) -> str:
    tier = named.removesuffix("-spot")
    if tier not in gpu_tiers():
        return ""
    entry = f"{{tier: {tier}, spot: true}}" if named.endswith("-spot") else tier
    return f", or add `- {entry}` to ray-llm:gpuPools"


def _on_cheapest_pool(
    wish: Wish, pools: Sequence[PoolChoice], pools_complete: bool, region: str
) -> tuple[Placement | None, tuple[Problem, ...]]:
    candidates: list[tuple[PoolChoice, Configuration, tuple[Problem, ...]]] = []
    refused: list[tuple[PoolChoice, tuple[Problem, ...]]] = []
    cheapest: Rank | None = None  # of those with the full context
    for pool in sorted((pool for pool in pools if not pool.spot), key=lambda pool: pool.rank(1)):
        if cheapest is not None and cheapest <= pool.rank(1):
            break  # not even a replica on one of its GPUs would be cheaper
        configuration, problems = configure(wish, pool.tier)
        if configuration is None or stops(problems):
            refused.append((pool, problems))
        elif configuration.fits:
            candidates.append((pool, configuration, problems))
            full_length = configuration.max_model_len == wish.aim.tokens
            if full_length and not configuration.doubtful:
                rank = pool.rank(configuration.gpus)
                cheapest = rank if cheapest is None else min(rank, cheapest)
        else:
            refused.append((pool, ()))
    if candidates:
        candidates = [entry for entry in candidates if not entry[1].doubtful] or candidates
        wanted = max(configuration.max_model_len for _, configuration, _ in candidates)
        # A shorter context than another pool could serve is no bargain.
        full = [entry for entry in candidates if entry[1].max_model_len == wanted]
        pool, configuration, problems = min(full, key=lambda entry: entry[0].rank(entry[1].gpus))
        return Placement(pool=pool.id, configuration=configuration), problems
    if not pools_complete or not pools:
        return None, ()  # why there is none has been said of the pools
    if not refused:
        problem = Problem(
            place=wish.said.place,
            reason="names no pool, and the stack lists spot pools only",
            remedy=f"Give gpu: {pools[0].id} to accept spot, or list a pool on demand",
            rule="spot-only",
        )
        return None, (problem,)
    return None, _fits_nowhere(wish, pools, refused, region)


def _fits_nowhere(
    wish: Wish,
    pools: Sequence[PoolChoice],
    refused: Sequence[tuple[PoolChoice, tuple[Problem, ...]]],
    region: str,
) -> tuple[Problem, ...]:
    """Why no listed pool will do: the rules alone where they are what is wrong everywhere."""
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
    configuration, _ = configure(wish, largest.tier)
    if configuration is None:
        return ()
    return (does_not_fit(wish, largest, configuration, pools, region, largest_listed=True),)
