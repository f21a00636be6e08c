"""A pool as placement sees it, and what a replica costs on it.

A replica costs as much as its share of the node's GPUs: half of a two-GPU node for one GPU.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from models.catalog import GpuTier, gpu_tiers, prices
from planning.plan import PoolPlan

Rank = tuple[Decimal, int, float]


@dataclass(frozen=True, kw_only=True)
class PoolChoice:
    """A pool as placement sees it; price of one node in USD per hour, None if unknown.

    spot: whether Google takes its nodes back, those of the preferred way if there are several;
        taken_back: which, and when, as the end of a sentence.
    """

    id: str
    tier: GpuTier
    spot: bool
    node_usd_per_hour: Decimal | None
    taken_back: str = "spot nodes back at 30 s notice"

    @classmethod
    def of(cls, pool: PoolPlan) -> "PoolChoice":
        """A pool of the stack."""
        return cls(
            id=pool.id,
            tier=pool.tier,
            spot=pool.is_interruptible,
            node_usd_per_hour=pool.node_usd_per_hour,
            taken_back=_taken_back(pool),
        )

    def rank(self, gpus: int) -> Rank:
        """Cheapest replica first, then the smaller node; a pool without a price comes last."""
        node = self.node_usd_per_hour
        share = Decimal(gpus) / self.tier.gpu_count
        return (
            Decimal("Infinity") if node is None else node * share,
            self.tier.gpu_count,
            self.tier.gpu_memory_gib,
        )


def _taken_back(pool: PoolPlan) -> str:
    seconds = pool.ways[0].run_seconds if pool.ways else None
    if seconds is None:
        return "spot nodes back at 30 s notice"
    return f"flex-start nodes back after {seconds / 3600:.3g} h"


def catalogue_choices(region: str) -> Iterable[PoolChoice]:
    """Every tier of the catalogue that is available on demand, as if the stack listed it."""
    for tier in gpu_tiers().values():
        if "on-demand" in tier.provisioning:
            yield PoolChoice(
                id=tier.id,
                tier=tier,
                spot=False,
                node_usd_per_hour=prices().hourly(tier.id, region, spot=False),
            )
