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
    """A pool as placement sees it; price of one node in USD per hour, None if unknown."""

    id: str
    tier: GpuTier
    spot: bool
    node_usd_per_hour: Decimal | None

    @classmethod
    def of(cls, pool: PoolPlan) -> "PoolChoice":
        """A pool of the stack."""
        return cls(
            id=pool.id,
            tier=pool.tier,
            spot=pool.spot,
            node_usd_per_hour=pool.node_usd_per_hour,
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
