"""Pools that a model could run on instead: listed ones, and tiers that the stack could add.

What a pool costs here is its whole nodes: one GPU of eight is no bargain if the other seven idle.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from models.catalog import zones_with
from models.problems import stops
from models.ways_out import WayOut, add, together, use
from planning.infrastructure.bin_packing import nodes_for
from planning.infrastructure.pool_price import PoolChoice, catalogue_choices
from planning.sizing.model_sizing import ModelSizing, ModelSpec, size_model

_POOLS: Final = "ray-llm:gpuPools"
_LISTED: Final = "pool/listed"
_ADDED: Final = "pool/added"
# The cheapest that fits nearly always passes; zones and quotas may refuse the first ones.
_MOST_ADDED: Final = 4


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Where pools can be added.

    zones: those of the cluster. pools_are_default: whether the stack file lists no pools.
    """

    region: str
    zones: tuple[str, ...]
    pools_are_default: bool


def other_pools(
    spec: ModelSpec, tried: PoolChoice | None, pools: Sequence[PoolChoice], offer: Offer
) -> Iterator[WayOut]:
    """The listed pools on which a model fits, and tiers to add, the cheapest first.

    tried: the pool that the model is refused on. A model that is not on spot nodes is not sent to
    them.
    """
    on_spot = tried is not None and tried.spot
    listed = [
        pool
        for pool in pools
        if (tried is None or pool.id != tried.id) and (on_spot or not pool.spot)
    ]
    for pool in _that_fit(spec, listed):
        yield use(_gpu(spec), pool.id, group=_LISTED)
    taken = {pool.id for pool in pools}
    new = [pool for pool in catalogue_choices(offer.region) if pool.id not in taken]
    for pool in _that_fit(spec, new)[:_MOST_ADDED]:
        entry = _entry(pool, offer)
        if entry is not None:
            yield _added(spec, entry, pools, offer)


def to_node(
    spec: ModelSpec, pool: PoolChoice, pools: Sequence[PoolChoice], offer: Offer
) -> WayOut | None:
    """A model over all GPUs of a pool's node, the pool added if none of the stack's is it.

    None if no zone of the region has its GPU.
    """
    if any(other.id == pool.id for other in pools):
        way = use(_gpu(spec), pool.id, group=_LISTED)
    else:
        entry = _entry(pool, offer)
        if entry is None:
            return None
        way = _added(spec, entry, pools, offer)
    degree = pool.tier.gpu_count
    if degree == 1 and spec.arguments.get("tensor_parallel_size") is None:
        return way
    spread = use(spec.arguments.path_to_set("tensor_parallel_size"), degree)
    words = f"{way.words} and {spread.words.removeprefix('use ')}"
    return together(words, way, spread, group=way.group)


def fitting(spec: ModelSpec, pool: PoolChoice) -> ModelSizing | None:
    """How a model runs on a pool without doubt; None if it cannot."""
    sizing, problems = size_model(spec, pool.tier)
    if sizing is None or stops(problems) or not sizing.fits:
        return None
    return None if sizing.doubtful else sizing


def _gpu(spec: ModelSpec) -> str:
    return f"{spec.arguments.path}.gpu"


def _that_fit(spec: ModelSpec, pools: Iterable[PoolChoice]) -> list[PoolChoice]:
    ranked = [
        (*_cost(spec, pool, sizing), pool.id, pool)
        for pool in pools
        if (sizing := fitting(spec, pool)) is not None
    ]
    return [entry[-1] for entry in sorted(ranked, key=lambda entry: entry[:-1])]


def _cost(spec: ModelSpec, pool: PoolChoice, sizing: ModelSizing) -> tuple[Decimal, int, float]:
    """Of the whole nodes that the model's replicas need; a pool without a price comes last."""
    price, replicas = pool.node_usd_per_hour, max(1, spec.deployment.replicas.min or 1)
    nodes = nodes_for([sizing.gpus] * replicas, pool.tier.gpu_count)
    return (
        Decimal("Infinity") if price is None else price * nodes,
        pool.tier.gpu_count,
        pool.tier.gpu_memory_gib,
    )


def _entry(pool: PoolChoice, offer: Offer) -> Any:
    """The tier as an entry of gpuPools, in zones of its own if the cluster's lack its GPU.

    None if no zone of the region has it.
    """
    offered = zones_with(pool.tier.accelerator_type, offer.region)
    if offered is None or set(offered) & set(offer.zones):
        return pool.id
    return {"tier": pool.id, "zones": list(offered)} if offered else None


def _added(spec: ModelSpec, entry: Any, pools: Sequence[PoolChoice], offer: Offer) -> WayOut:
    tier = entry if isinstance(entry, str) else entry["tier"]
    shown = tier if isinstance(entry, str) else _flow(entry)
    if offer.pools_are_default:
        entries = [*(pool.id for pool in pools), entry]
        listed = ", ".join([*(pool.id for pool in pools), shown])
        words = f"list gpuPools: [{listed}] under ray-llm"
        pool = use(_POOLS, entries, words, group=_ADDED)
    else:
        words = f"add `- {shown}` to {_POOLS}"
        pool = add(_POOLS, entry, words, group=_ADDED)
    if spec.deployment.gpu is None:
        return pool
    words = (
        f"use gpu: {tier} with `- {shown}` in {_POOLS}"
        if not offer.pools_are_default
        else (f"use gpu: {tier} and {words}")
    )
    return together(words, pool, use(_gpu(spec), tier), group=_ADDED)


def _flow(entry: dict[str, Any]) -> str:
    return f"{{tier: {entry['tier']}, zones: [{', '.join(entry['zones'])}]}}"
