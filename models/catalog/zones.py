"""The zones of each region that offer an accelerator type.

Rows are in zones.yaml, with their date. A region that is not in the table is not
an error: the program cannot check it, and says so.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from types import MappingProxyType

from models.catalog import data_file
from models.facts import Facts


class Region(Facts):
    """A region: all its zones, and those with each accelerator type, by full name."""

    name: str
    zones: tuple[str, ...]
    accelerator_zones: dict[str, tuple[str, ...]]


class ZoneTable(Facts):
    """The table with its source and the day on which it was made."""

    date: date
    source: str
    partly_known: frozenset[str]
    regions: dict[str, Region]


@cache
def zone_table() -> ZoneTable:
    """Return the whole table with its date and source."""
    data = data_file.read("zones.yaml")
    regions = {
        name: Region(
            name=name,
            zones=_full_names(name, row["zones"]),
            accelerator_zones={
                accelerator: _full_names(name, letters)
                for accelerator, letters in row["accelerators"].items()
            },
        )
        for name, row in data["regions"].items()
    }
    return ZoneTable(
        date=data["date"],
        source=data["source"],
        partly_known=data["partly_known"],
        regions=regions,
    )


def _full_names(region: str, letters: list[str]) -> tuple[str, ...]:
    return tuple(f"{region}-{letter}" for letter in letters)


def regions() -> Mapping[str, Region]:
    """Return the regions of the table by name."""
    return MappingProxyType(zone_table().regions)


def zones_with(accelerator_type: str, region: str) -> tuple[str, ...] | None:
    """Return the zones of `region` that offer `accelerator_type`, in order.

    None means that nothing is known: the region is not in the table, or the accelerator's
    zones are known only in part. An empty tuple means that the region has none.
    """
    table = zone_table()
    row = table.regions.get(region)
    if row is None:
        return None
    unknown = None if accelerator_type in table.partly_known else ()
    return row.accelerator_zones.get(accelerator_type, unknown)
