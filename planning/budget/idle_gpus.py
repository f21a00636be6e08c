"""GPUs that are paid for and that no replica uses, and what would use them.

They come from nodes with more GPUs than their models take, and from `minNodes`. Told for the
models' minimum, because that is what is paid for day and night.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from planning.infrastructure.bin_packing import free_gpus
from planning.plan import ModelPlan, Plan, PoolPlan


@dataclass(frozen=True, kw_only=True)
class IdleGpus:
    """Idle GPUs of one pool with all models at their minimum, and what would use them."""

    pool: str
    idle: int
    paid: int
    remedy: str

    def sentence(self) -> str:
        """For people: how many, where, and the way out."""
        return (
            f"{self.pool}: paid for and not used at the minimum: {self.idle} of {self.paid} GPUs. "
            f"{self.remedy}."
        )


def idle_gpus(plan: Plan) -> tuple[IdleGpus, ...]:
    """The pools with idle GPUs, in the order of the plan."""
    return tuple(_of_pools(plan))


def _of_pools(plan: Plan) -> Iterable[IdleGpus]:
    for pool in plan.pools:
        cost = plan.cost.pools[pool.id]
        idle = int(cost.gpus_idle.minimum)
        if idle:
            yield IdleGpus(
                pool=pool.id,
                idle=idle,
                paid=int(cost.gpus_paid.minimum),
                remedy=_remedy(plan, pool),
            )


def _remedy(plan: Plan, pool: PoolPlan) -> str:
    if pool.min_nodes > pool.nodes_at_min:
        return f"minNodes: {pool.nodes_at_min} on the pool would give them back"
    here = [model for model in plan.models if model.pool == pool.id]
    room = free_gpus(
        [model.gpus_per_replica for model in here for _ in range(model.replicas.min)],
        pool.tier.gpu_count,
    )
    if pool.reserved_nodes > pool.nodes_at_min:
        room = pool.tier.gpu_count  # a reserved node is paid for and empty
    movable = [model for model in plan.models if _would_fit(plan, model, pool, room)]
    if movable:
        # The one whose own nodes cost most is worth most here.
        best = max(movable, key=lambda model: plan.pool(model.pool).node_usd_per_hour or 0)
        return f"{best.name} (now on {best.pool}) would fit: gpu: {pool.id}"
    growing = [
        model
        for model in here
        if model.gpus_per_replica <= room and model.replicas.min < model.replicas.max
    ]
    if growing:
        best = max(growing, key=lambda model: model.gpus_per_replica)
        return f"replicas.min: {best.replicas.min + 1} for {best.name} would cost nothing more"
    count = "1" if room == 1 else f"up to {room}"
    return f"A model that takes {count} x {pool.tier.gpu_name} would run there for nothing"


def _would_fit(plan: Plan, model: ModelPlan, pool: PoolPlan, room: int) -> bool:
    """Whether a replica that is always up runs on the same GPU elsewhere and needs no more room."""
    other = plan.pool(model.pool)
    return (
        other.id != pool.id
        and other.tier.gpu == pool.tier.gpu
        and other.is_interruptible == pool.is_interruptible
        and model.replicas.min > 0
        and model.gpus_per_replica <= room
    )
