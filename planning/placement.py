"""On which pool a model runs: the one it names, or the cheapest listed one on which it fits.

Cost is that of the GPUs a replica takes, at list price: half of a two-GPU node for one GPU. Spot
is never chosen for a model that does not name a spot pool, because spot nodes leave at 30 s
notice.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from models.catalog import GpuTier, gpu_tiers, prices
from models.errors import Problem, stops
from models.spelling import nearest
from planning.configuration import Configuration, Wish, configure
from planning.context import SHORTEST_TOKENS, STEP_TOKENS, context
from planning.plan import GIB


@dataclass(frozen=True, kw_only=True)
class PoolChoice:
    """A pool as placement sees it; price of one node in USD per hour, None where unknown."""

    id: str
    tier: GpuTier
    spot: bool
    node_usd_per_hour: Decimal | None


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
    return None, (*problems, _does_not_fit(wish, choice, configuration, pools, region))


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
    aim, _ = context(wish.checkpoint, wish.said, wish.defaults)
    cheapest: tuple[Decimal, int, Decimal] | None = None  # of those with the full context
    for pool in sorted((pool for pool in pools if not pool.spot), key=lambda pool: _rank(pool, 1)):
        if cheapest is not None and cheapest <= _rank(pool, 1):
            break  # not even a replica on one of its GPUs would be cheaper
        configuration, problems = configure(wish, pool.tier)
        if configuration is None or stops(problems):
            refused.append((pool, problems))
        elif configuration.fits:
            candidates.append((pool, configuration, problems))
            if aim is not None and configuration.max_model_len == aim.tokens:
                rank = _rank(pool, configuration.gpus)
                cheapest = rank if cheapest is None else min(rank, cheapest)
        else:
            refused.append((pool, ()))
    if candidates:
        wanted = max(configuration.max_model_len for _, configuration, _ in candidates)
        # A shorter context than another pool could serve is no bargain.
        full = [entry for entry in candidates if entry[1].max_model_len == wanted]
        pool, configuration, problems = min(full, key=lambda entry: _rank(entry[0], entry[1].gpus))
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


def _rank(pool: PoolChoice, gpus: int) -> tuple[Decimal, int, Decimal]:
    """Cheapest replica first, then the smaller node; a pool without a price comes last."""
    node = pool.node_usd_per_hour
    share = Decimal(gpus) / pool.tier.gpu_count
    return (
        Decimal("Infinity") if node is None else node * share,
        pool.tier.gpu_count,
        Decimal(str(pool.tier.gpu_memory_gib)),
    )


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
    return (_does_not_fit(wish, largest, configuration, pools, region, largest_listed=True),)


def _does_not_fit(
    wish: Wish,
    pool: PoolChoice,
    configuration: Configuration,
    pools: Sequence[PoolChoice],
    region: str,
    largest_listed: bool = False,
) -> Problem:
    fit = configuration.fit
    if fit is None:
        raise ValueError("only a checked configuration can fail to fit")
    tokens = configuration.max_model_len
    gpus = f" on {configuration.gpus} GPUs" if configuration.gpus > 1 else ""
    where = f"{pool.id}{' (the largest listed)' if largest_listed else ''}{gpus}"
    stated = wish.said.get("max_model_len") is not None
    if fit.kv_available_bytes <= 0 or fit.longest_context < min(SHORTEST_TOKENS, tokens):
        reason = (
            f"needs {_gib(fit.weight_bytes + fit.activation_bytes + fit.runtime_bytes)} GiB a GPU "
            f"before any KV cache ({_gib(fit.weight_bytes)} of weights) and "
            f"{_gib(fit.kv_per_sequence_bytes)} GiB for one sequence of {tokens} tokens; {where} "
            f"gives {_gib(fit.budget_bytes)} GiB"
        )
        ways = []
        at = wish.said.place
        value: object = wish.deployment.served_name
    else:
        reason = (
            f"needs {_gib(fit.kv_per_sequence_bytes, up=True)} GiB of KV cache per sequence; "
            f"{where} leaves {_gib(fit.kv_available_bytes)} GiB"
        )
        step = STEP_TOKENS if fit.longest_context > STEP_TOKENS else 16
        ways = [f"at most {fit.longest_context // step * step}"]
        at = wish.said.place_of("max_model_len")
        value = tokens if stated else f"a context of {tokens} tokens"
    ways += _other_pools(wish, pool, pools, region)
    remedy = f"Use {', or '.join(ways)}" if ways else "Use a smaller or a quantized model"
    return Problem(place=at, value=value, reason=reason, remedy=remedy, rule="memory-fit")


def _other_pools(
    wish: Wish, tried: PoolChoice, pools: Sequence[PoolChoice], region: str
) -> Iterable[str]:
    """`gpu: x` for the cheapest listed pool on which it fits, else a tier to add."""
    listed = [
        (_rank(pool, configuration.gpus), pool.id)
        for pool in pools
        if pool.id != tried.id and (configuration := _fitting(wish, pool.tier)) is not None
    ]
    if listed:
        yield f"gpu: {min(listed)[1]}"
        return
    unlisted = [
        (_rank(choice, configuration.gpus), choice.id)
        for choice in _catalogue_choices(region)
        if (configuration := _fitting(wish, choice.tier)) is not None
    ]
    if unlisted:
        tier = min(unlisted)[1]
        yield f"gpu: {tier} with `- {tier}` in ray-llm:gpuPools"


def _catalogue_choices(region: str) -> Iterable[PoolChoice]:
    for tier in gpu_tiers().values():
        if "on-demand" in tier.provisioning:
            yield PoolChoice(
                id=tier.id,
                tier=tier,
                spot=False,
                node_usd_per_hour=prices().hourly(tier.id, region, spot=False),
            )


def _fitting(wish: Wish, tier: GpuTier) -> Configuration | None:
    configuration, problems = configure(wish, tier)
    if configuration is None or stops(problems) or not configuration.fits:
        return None
    return configuration


def _gib(size_bytes: int, up: bool = False) -> str:
    """GiB with one decimal, never rounded in the direction that would hide a miss."""
    tenths = size_bytes / GIB * 10
    return f"{(math.ceil(tenths) if up else math.floor(tenths)) / 10:.1f}"
