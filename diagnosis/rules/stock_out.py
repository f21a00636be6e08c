"""What helps if Google has no machine of a pool left: another pool, zone or way to pay."""

from collections.abc import Iterator
from typing import Final

from diagnosis.case import Case
from diagnosis.finding import Mend
from models.catalog import GpuTier, zones_with
from planning import PoolPlan

_WAITING: Final = "a stock-out may end by itself"


def elsewhere(case: Case, pool: PoolPlan) -> Mend:
    """The setting that moves the pool's models, or else the pool's zones."""
    models = case.models_of(pool)
    pools = [other.id for other in _roomy(case, pool)]
    ways = list(_ways(case, pool))
    if not (models and pools):
        return Mend(path=f"{pool.path}.zones", text=f"{_either(ways)}; {_WAITING}.")
    names = ", ".join(model.name for model in models)
    others = f" (or {', '.join(pools[1:])})" if pools[1:] else ""
    first = f"Place {names} on another pool, `gpu: {pools[0]}`{others}"
    return Mend(
        path=f"{models[0].path}.gpu",
        text=f"{first}; a preview says what that moves and whether it fits. {_either(ways)}; "
        f"{_WAITING}.",
    )


def _roomy(case: Case, pool: PoolPlan) -> Iterator[PoolPlan]:
    """Other pools whose machines hold what this pool's models need."""
    most = max((model.gpus_per_replica for model in case.models_of(pool)), default=0)
    for other in case.plan.pools:
        if (
            other.id != pool.id
            and _is_no_less(other.tier, pool.tier)
            and other.tier.gpu_count >= most
        ):
            yield other


def _is_no_less(tier: GpuTier, than: GpuTier) -> bool:
    return (
        tier.gpu_memory_gib >= than.gpu_memory_gib
        and tier.compute_capability >= than.compute_capability
    )


def _ways(case: Case, pool: PoolPlan) -> Iterator[str]:
    """What may be changed of the pool itself, in words."""
    offered = zones_with(pool.tier.accelerator_type, case.plan.region)
    further = [zone for zone in offered or () if zone not in pool.zones]
    if further:
        yield f"give the pool a further zone with the machine ({', '.join(further)})"
    elif offered is None:
        yield f"give the pool a zone beside {', '.join(pool.zones)} that offers the machine"
    if pool.ways:
        yield "list another way to pay in `capacity`"
    elif pool.spot:
        yield "leave `spot: true` out"
    yield "add a pool of another tier"


def _either(ways: list[str]) -> str:
    text = ", or ".join(ways)
    return text[0].upper() + text[1:]
