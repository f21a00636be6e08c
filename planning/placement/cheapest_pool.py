"""On which pool a model runs: the one it names, or the cheapest listed one on which it fits.

Spot is chosen for a model that names no spot pool only if the stack lists nothing else, because
Google takes spot nodes back at 30 s notice. A GPU on which the engine is not known to run is chosen
only if the model fits on no other.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from models.catalog import gpu_tiers
from models.problems import Problem, Severity, stops
from models.spelling import nearest, nearest_of
from models.ways_out import WayOut, add, use
from planning.infrastructure.pool_price import PoolChoice, Rank
from planning.placement.other_pools import Offer, other_pools
from planning.placement.ways_to_fit import does_not_fit
from planning.sizing.model_sizing import ModelSizing, ModelSpec, size_model


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where and how a model will run."""

    pool: str
    sizing: ModelSizing


def in_doubt(sizing: ModelSizing, problems: Iterable[Problem]) -> bool:
    """Whether a model may not run on a pool: it is chosen only if no other pool is better."""
    return sizing.doubtful or any(problem.rule == "old-gpu-new-vllm" for problem in problems)


def placement_of(
    spec: ModelSpec, pools: Sequence[PoolChoice], pools_complete: bool, offer: Offer
) -> tuple[Placement | None, tuple[Problem, ...]]:
    """The placement of one model.

    pools_complete: False if the stack lists pools that could not be read; then a pool that is
    not found, or no pool that fits, is not reported.
    """
    named = spec.deployment.gpu
    if named is not None:
        return _on_named_pool(spec, named, pools, pools_complete, offer)
    return _on_cheapest_pool(spec, pools, pools_complete, offer)


def _on_named_pool(
    spec: ModelSpec, named: str, pools: Sequence[PoolChoice], pools_complete: bool, offer: Offer
) -> tuple[Placement | None, tuple[Problem, ...]]:
    choice = next((pool for pool in pools if pool.id == named), None)
    if choice is None:
        if not pools_complete or not pools:
            return None, ()
        ids = [pool.id for pool in pools]
        problem = Problem(
            path=f"{spec.arguments.path}.gpu",
            value=named,
            reason="is not a pool of this stack",
            remedy=f"{nearest(named, ids)}The pools are {', '.join(ids)}",
            rule="pool-unknown",
            candidates=_ways_to_a_pool(spec, named, pools, offer),
        )
        return None, (problem,)
    sizing, problems = size_model(spec, choice.tier)
    if sizing is None or stops(problems):
        return None, _with_other_pools(problems, spec, choice, pools, offer)
    if sizing.fits:
        return Placement(pool=choice.id, sizing=sizing), problems
    return None, (*problems, does_not_fit(spec, choice, sizing, pools, offer))


def _with_other_pools(
    problems: Iterable[Problem],
    spec: ModelSpec,
    tried: PoolChoice,
    pools: Sequence[PoolChoice],
    offer: Offer,
) -> tuple[Problem, ...]:
    """What stops a model on one pool may not stop it on another."""
    return tuple(
        problem.with_candidates(other_pools(spec, tried, pools, offer))
        if problem.severity is Severity.STOP
        else problem
        for problem in problems
    )


def _ways_to_a_pool(
    spec: ModelSpec, named: str, pools: Sequence[PoolChoice], offer: Offer
) -> Iterator[WayOut]:
    """The pool that is named, if its tier exists, and the listed ones on which the model fits."""
    tier = named.removesuffix("-spot")
    if tier in gpu_tiers() and not offer.pools_are_default:
        entry = {"tier": tier, "spot": True} if named != tier else tier
        shown = f"{{tier: {tier}, spot: true}}" if named != tier else tier
        yield add("ray-llm:gpuPools", entry, f"add `- {shown}` to ray-llm:gpuPools")
    path = f"{spec.arguments.path}.gpu"
    match = nearest_of(named, [pool.id for pool in pools])
    if match is not None:
        yield use(path, match)
    for pool in sorted(pools, key=lambda pool: pool.rank(1)):
        if pool.id != match and not pool.spot:
            yield use(path, pool.id, group="pool")


def _on_cheapest_pool(
    spec: ModelSpec, pools: Sequence[PoolChoice], pools_complete: bool, offer: Offer
) -> tuple[Placement | None, tuple[Problem, ...]]:
    candidates: list[tuple[PoolChoice, ModelSizing, tuple[Problem, ...]]] = []
    refused: list[tuple[PoolChoice, tuple[Problem, ...]]] = []
    cheapest: Rank | None = None  # of those with the full context
    spot_only = pools_complete and all(pool.spot for pool in pools)
    open_pools = [pool for pool in pools if spot_only or not pool.spot]
    for pool in sorted(open_pools, key=lambda pool: pool.rank(1)):
        if cheapest is not None and cheapest <= pool.rank(1):
            break  # not even a replica on one of its GPUs would be cheaper
        sizing, problems = size_model(spec, pool.tier)
        if sizing is None or stops(problems):
            refused.append((pool, problems))
        elif sizing.fits:
            candidates.append((pool, sizing, problems))
            full_length = sizing.max_model_len == spec.context.tokens
            if full_length and not in_doubt(sizing, problems):
                rank = pool.rank(sizing.gpus)
                cheapest = rank if cheapest is None else min(rank, cheapest)
        else:
            refused.append((pool, ()))
    if candidates:
        candidates = [entry for entry in candidates if not in_doubt(*entry[1:])] or candidates
        wanted = max(sizing.max_model_len for _, sizing, _ in candidates)
        # A cheaper pool with a shorter context than another pool serves is not chosen.
        full = [entry for entry in candidates if entry[1].max_model_len == wanted]
        pool, sizing, problems = min(full, key=lambda entry: entry[0].rank(entry[1].gpus))
        if pool.spot:
            problems = (*problems, _runs_on_spot(spec, pool, pools, offer))
        return Placement(pool=pool.id, sizing=sizing), problems
    if not pools_complete or not pools:
        return None, ()  # the pools' own problems say why there is none
    return None, _fits_nowhere(spec, pools, refused, offer)


def _runs_on_spot(
    spec: ModelSpec, chosen: PoolChoice, pools: Sequence[PoolChoice], offer: Offer
) -> Problem:
    return Problem(
        path=spec.arguments.path,
        reason=f"names no pool and runs on {chosen.id}, because the stack lists "
        f"{_only(pools)}: Google takes {chosen.taken_back}",
        remedy="Name one of them, or list an on-demand pool",
        rule="spot-only",
        candidates=(
            use(
                f"{spec.arguments.path}.gpu",
                chosen.id,
                f"set gpu: {chosen.id} to say that it is meant",
            ),
            *other_pools(spec, None, pools, offer),
        ),
    )


def _only(pools: Sequence[PoolChoice]) -> str:
    one_kind = len({pool.taken_back for pool in pools}) == 1
    return (
        "spot pools only"
        if one_kind and "spot" in pools[0].taken_back
        else ("only pools whose nodes Google takes back")
    )


def _fits_nowhere(
    spec: ModelSpec,
    pools: Sequence[PoolChoice],
    refused: Sequence[tuple[PoolChoice, tuple[Problem, ...]]],
    offer: Offer,
) -> tuple[Problem, ...]:
    """Why no listed pool will do: the broken rule alone if every pool breaks the same one."""
    if all(problems for _, problems in refused):
        rules = [{problem.rule for problem in stops(problems)} for _, problems in refused]
        if set.intersection(*rules):
            pool, problems = refused[-1]
            return _with_other_pools(problems, spec, pool, pools, offer)
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
    return (does_not_fit(spec, largest, sizing, pools, offer, largest_listed=True),)
