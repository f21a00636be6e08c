"""What a node costs an hour: the stack's own price if it gives one, else the list price.

A stack prices a node by its GPU tier or, more exactly, by its machine type. A machine to which GPUs
are attached carries them or not, so for its pools only the tier says which price is meant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from models.capacity import Buying
from models.catalog import GpuTier, prices
from models.stack import PriceSettings


@dataclass(frozen=True, kw_only=True)
class NodePrice:
    """USD per hour of one node with its GPUs, disks excluded; None if it is not known.

    flex_start, reservation: only if the stack gives them, because the catalogue lists neither.
    """

    on_demand: Decimal | None
    spot: Decimal | None
    flex_start: Decimal | None = None
    reservation: Decimal | None = None

    def hourly(self, spot: bool) -> Decimal | None:
        """The price on spot, or on demand."""
        return self.spot if spot else self.on_demand

    def of(self, buying: Buying) -> Decimal | None:
        """The price of a way to pay.

        A reservation costs what its machines cost on demand, used or not, before discounts of the
        project. Flex-start costs at most that (Google names up to 53 % less):
        https://cloud.google.com/products/dws/pricing
        """
        if buying is Buying.SPOT:
            return self.spot
        stated = {Buying.FLEX_START: self.flex_start, Buying.RESERVATION: self.reservation}
        own = stated.get(buying)
        return self.on_demand if own is None else own


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
    def first(name: str, else_: Decimal | None = None) -> Decimal | None:
        found = (getattr(row, name) for row in stated)
        price = next((price for price in found if price is not None), None)
        return else_ if price is None else Decimal(str(price))

    return NodePrice(
        on_demand=first("on_demand", listed.on_demand),
        spot=first("spot", listed.spot),
        flex_start=first("flex_start"),
        reservation=first("reservation"),
    )
