"""Dated list prices of machines and GPU tiers, USD per hour, disks excluded.

Rows are in prices.yaml. A row with a GPU tier prices the machine with all its GPUs;
a row without one prices the bare machine, for the CPU pool. General machines, with T4s or without
GPUs, are priced by their vCPUs and memory. Prices move: a stack can
override them, and every figure that is shown names the date.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache, cached_property
from typing import Any, Final, Literal

from models.catalog import data_file
from models.catalog.gpu_tiers import GpuTier, gpu_tiers
from models.catalog.machine_types import MachineType, machine_types
from models.facts import Facts

_PLACES: Final = Decimal("0.0001")


class HourlyPrice(Facts):
    """The price of one machine in one region; `tier` is None for a machine without GPUs."""

    machine_type: str
    tier: str | None
    region: str
    on_demand_usd: Decimal | None
    spot_usd: Decimal | None


class UnitPrice(Facts):
    """USD per hour of a vCPU and of a GiB on demand, and the share of it that spot costs."""

    vcpu_usd: Decimal
    gib_usd: Decimal
    spot_share: Decimal | None

    def of(self, machine: MachineType) -> Decimal:
        """The price of a machine without GPUs."""
        return machine.vcpus * self.vcpu_usd + Decimal(str(machine.memory_gib)) * self.gib_usd


class AttachedGpuPrice(Facts):
    """USD per hour of one GPU that is attached to a machine."""

    on_demand_usd: Decimal
    spot_usd: Decimal


class PriceList(Facts):
    """All prices, with their source and the day on which they were read.

    units: by region, then by series or by series and kind. attached: by region, then by GPU.
    """

    date: date
    currency: Literal["USD"]
    source: str
    rows: tuple[HourlyPrice, ...]
    units: Mapping[str, Mapping[str, UnitPrice]]
    attached: Mapping[str, Mapping[str, AttachedGpuPrice]]

    @cached_property
    def _by_key(self) -> dict[tuple[str, str | None, str], HourlyPrice]:
        return {(row.machine_type, row.tier, row.region): row for row in self.rows}

    def row(
        self, tier_or_machine: str, region: str, machine_type: str | None = None
    ) -> HourlyPrice | None:
        """Return the price of a GPU tier or of a machine without GPUs, or None if unknown.

        A tier on another than its default machine needs `machine_type`.
        """
        tier = gpu_tiers().get(tier_or_machine)
        id_ = tier_or_machine if tier is None else machine_type or tier.machine_type
        listed = self._by_key.get((id_, None if tier is None else tier.id, region))
        return listed or self._of_units(id_, tier, region)

    def _of_units(self, id_: str, tier: GpuTier | None, region: str) -> HourlyPrice | None:
        """The price of a machine that is not listed, by its vCPUs, memory and attached GPUs."""
        machine, units = machine_types().get(id_), self.units.get(region, {})
        unit = units.get(id_.rpartition("-")[0]) or units.get(id_.partition("-")[0])
        if machine is None or unit is None:
            return None
        on_demand, spot = unit.of(machine), None
        if tier is not None:
            gpu = self.attached.get(region, {}).get(tier.gpu)
            if gpu is None or not tier.carried_by(machine):
                return None
            if unit.spot_share is not None:
                spot = on_demand * unit.spot_share + tier.gpu_count * gpu.spot_usd
            on_demand += tier.gpu_count * gpu.on_demand_usd
        return HourlyPrice(
            machine_type=id_,
            tier=None if tier is None else tier.id,
            region=region,
            on_demand_usd=on_demand.quantize(_PLACES),
            spot_usd=None if spot is None else spot.quantize(_PLACES),
        )

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
            on_demand_usd=_usd(on_demand),
            spot_usd=_usd(spot),
        )
        for region, table in data["regions"].items()
        for machine_type, tier, on_demand, spot in table
    )
    units = {
        region: {
            key: UnitPrice(
                vcpu_usd=Decimal(str(vcpu)),
                gib_usd=Decimal(str(gib)),
                spot_share=_usd(data["spot_share"].get(key)),
            )
            for key, (vcpu, gib) in table.items()
        }
        for region, table in data["units"].items()
    }
    attached = {
        region: {
            gpu: AttachedGpuPrice(on_demand_usd=Decimal(str(usd)), spot_usd=Decimal(str(spot)))
            for gpu, (usd, spot) in table.items()
        }
        for region, table in data["attached"].items()
    }
    return PriceList(
        date=data["date"],
        currency=data["currency"],
        source=data["source"],
        rows=rows,
        units=units,
        attached=attached,
    )


def _usd(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))
