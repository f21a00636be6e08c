"""Weights of a known size, of a model whose memory is not to be checked."""

from collections.abc import Iterable, Iterator
from typing import Final

from models.catalog import GpuTier
from models.problems import Problem
from models.ways_out import WayOut, use
from planning.checks.contexts import PlacedContext
from planning.infrastructure.pool_price import PoolChoice, catalogue_choices
from planning.placement.other_pools import to_node
from planning.plan import GIB
from planning.sizing.memory.headroom import gib
from planning.sizing.parallelism import tensor_parallel_sizes

# A method that quantizes while loading leaves at least 4 of 16 bits (bitsandbytes).
_LEAST_LOADED_SHARE: Final = 0.25
# Of what vLLM may use, a way out leaves so much for activations and KV cache.
_ROOM_SHARE: Final = 0.15
# The cheapest that holds them nearly always passes; zones and quotas may refuse the first ones.
_MOST_POOLS: Final = 4


def unchecked_weight_problems(context: PlacedContext) -> Iterable[Problem]:
    """`checkFit: false` takes back an estimate, not the size that the stack file gives."""
    model, weight_bytes = context.model, context.spec.checkpoint.weight_bytes
    if model.fit is not None or weight_bytes is None:
        return
    loaded = weight_bytes * (_LEAST_LOADED_SHARE if _may_shrink(context) else 1)
    kept = loaded / model.gpus_per_replica - _offloaded_bytes(context)
    budget = context.pool.tier.gpu_memory_gib * GIB * _share(context)
    if kept <= budget:
        return
    gpus = model.gpus_per_replica
    each = f", {gib(kept, up=True)} GiB on each of {gpus} GPUs" if gpus > 1 else ""
    yield Problem(
        path=context.path,
        value=model.name,
        reason=f"has {gib(loaded, up=True)} GiB of weights{each}, and vLLM may use {gib(budget)} "
        f"GiB of {context.pool.tier.gpu_name}: checkFit: false does not make room",
        remedy="Use a quantized checkpoint",
        rule="memory-fit",
        candidates=_ways(context, loaded),
    )


def _may_shrink(context: PlacedContext) -> bool:
    """Whether vLLM may be asked to quantize while it loads."""
    stored = context.spec.checkpoint.quantization
    return stored is None and context.spec.arguments.get("quantization") is not None


def _share(context: PlacedContext) -> float:
    """The share of a GPU that vLLM may use; all of it if the KV cache is stated in bytes."""
    stated = context.engine.get("kv_cache_memory_bytes")
    return 1.0 if stated else context.model.gpu_memory_utilization


def _offloaded_bytes(context: PlacedContext) -> float:
    return float(context.engine.get("cpu_offload_gb") or 0) * GIB


def _ways(context: PlacedContext, loaded: float) -> Iterator[WayOut]:
    yield from _on_more_gpus(context, loaded)
    yield from _on_other_pools(context, loaded)


def _on_more_gpus(context: PlacedContext, loaded: float) -> Iterator[WayOut]:
    """The least degree of tensor parallelism on the same node that holds the weights."""
    tier = context.pool.tier
    for degree in tensor_parallel_sizes(context.spec.checkpoint, tier):
        gpus = degree * context.model.pipeline_parallel_size
        if gpus <= tier.gpu_count and _holds(context, tier, loaded / gpus):
            yield use(context.spec.arguments.path_to_set("tensor_parallel_size"), degree)
            return


def _on_other_pools(context: PlacedContext, loaded: float) -> Iterator[WayOut]:
    """The listed pools whose node holds the weights, then tiers to add, the cheapest first."""
    listed = [pool for pool in context.choices if pool.id != context.pool.id and not pool.spot]
    taken = {pool.id for pool in context.choices}
    new = [pool for pool in catalogue_choices(context.offer.region) if pool.id not in taken]
    for pools in (listed, new):
        holding = [pool for pool in pools if _node_holds(context, pool, loaded)]
        holding.sort(key=lambda pool: pool.rank(pool.tier.gpu_count))
        for pool in holding[:_MOST_POOLS]:
            way = to_node(context.spec, pool, context.choices, context.offer)
            if way is not None:
                yield way


def _node_holds(context: PlacedContext, pool: PoolChoice, loaded: float) -> bool:
    degree = pool.tier.gpu_count
    return (
        pool.tier.has_bfloat16 >= context.pool.tier.has_bfloat16
        and degree in tensor_parallel_sizes(context.spec.checkpoint, pool.tier)
        and _holds(context, pool.tier, loaded / degree)
    )


def _holds(context: PlacedContext, tier: GpuTier, weight_bytes: float) -> bool:
    budget = tier.gpu_memory_gib * GIB * context.model.gpu_memory_utilization
    return weight_bytes <= (1 - _ROOM_SHARE) * budget
