"""Dated list prices of machines and GPU tiers, USD per hour, disks excluded.

Rows are in prices.yaml. A row with a GPU tier prices the machine with all its GPUs;
a row without one prices the bare machine, for the CPU pool. Prices move: a stack can
override them, and every figure that is shown names the date.
"""

from datetime import date
from decimal import Decimal
from functools import cache, cached_property
from typing import Literal

from models.catalog import data_file
from models.catalog.gpu_tiers import gpu_tiers
from models.facts import Facts


class HourlyPrice(Facts):
    """The price of one machine in one region; `tier` is None for a machine without GPUs."""

    machine_type: str
    tier: str | None
    region: str
    on_demand_usd: Decimal | None
    spot_usd: Decimal | None


class PriceList(Facts):
    """All prices, with their source and the day on which they were read."""

    date: date
    currency: Literal["USD"]
    source: str
    rows: tuple[HourlyPrice, ...]

    @cached_property
    def _by_key(self) -> dict[tuple[str, str | None, str], HourlyPrice]:
        return {(row.machine_type, row.tier, row.region): row for row in self.rows}

    def row(
        self, tier_or_machine: str, region: str, machine_type: str | None = None
    ) -> HourlyPrice | None:
        """Return the row of a GPU tier or of a machine without GPUs, or None if unknown.

        A tier on another than its default machine needs `machine_type`.
        """
        tier = gpu_tiers().get(tier_or_machine)
        if tier is None:
            return self._by_key.get((tier_or_machine, None, region))
        return self._by_key.get((machine_type or tier.machine_type, tier.id, region))

    def hourly(
        self,
        tier_or_machine: str,
        region: str,
        spot: bool = False,
        *,
        machine_type: str | None = None,
    ) -> Decimal | None:
        """Return USD per hour of one node, or None if the list has no such price."""
        row = self.row(tier_or_machine, region, machine_type)
        if row is None:
            return None
        return row.spot_usd if spot else row.on_demand_usd


@cache
def prices() -> PriceList:
    """Return the price list that ships with the program."""
    data = data_file.read("prices.yaml")
    rows = tuple(
        HourlyPrice(
            machine_type=machine_type,
            tier=tier,
            region=region,
            on_demand_usd=None if on_demand is None else Decimal(str(on_demand)),
            spot_usd=None if spot is None else Decimal(str(spot)),
        )
        for region, table in data["regions"].items()
        for machine_type, tier, on_demand, spot in table
    )
    return PriceList(date=data["date"], currency=data["currency"], source=data["source"], rows=rows)
