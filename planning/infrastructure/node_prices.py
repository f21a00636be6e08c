"""What a node costs an hour: the stack's own price if it gives one, else the list price.

A stack prices a node by its GPU tier or, more exactly, by its machine type. A machine to which GPUs
are attached carries them or not, so for its pools only the tier says which price is meant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from models.catalog import GpuTier, prices
from models.stack import PriceSettings


@dataclass(frozen=True, kw_only=True)
class NodePrice:
    """USD per hour of one node with its GPUs, disks excluded; None if it is not known."""

    on_demand: Decimal | None
    spot: Decimal | None

    def hourly(self, spot: bool) -> Decimal | None:
        """The price on spot, or on demand."""
        return self.spot if spot else self.on_demand


def gpu_node_price(
    overrides: Mapping[str, PriceSettings], tier: GpuTier, machine_type: str, region: str
) -> NodePrice:
    """The price of a node of a GPU tier."""
    keys = [tier.id] if tier.attached_to is not None else [machine_type, tier.id]
    row = prices().row(tier.id, region, machine_type)
    return _overridden(
        [overrides[key] for key in keys if key in overrides],
        NodePrice(
            on_demand=None if row is None else row.on_demand_usd,
            spot=None if row is None else row.spot_usd,
        ),
    )


def cpu_node_price(
    overrides: Mapping[str, PriceSettings], machine_type: str, region: str
) -> NodePrice:
    """The price of a machine without GPUs."""
    row = prices().row(machine_type, region)
    return _overridden(
        [overrides[machine_type]] if machine_type in overrides else [],
        NodePrice(
            on_demand=None if row is None else row.on_demand_usd,
            spot=None if row is None else row.spot_usd,
        ),
    )


def _overridden(stated: list[PriceSettings], listed: NodePrice) -> NodePrice:
    on_demand = next((row.on_demand for row in stated if row.on_demand is not None), None)
    spot = next((row.spot for row in stated if row.spot is not None), None)
    return NodePrice(
        on_demand=listed.on_demand if on_demand is None else Decimal(str(on_demand)),
        spot=listed.spot if spot is None else Decimal(str(spot)),
    )
