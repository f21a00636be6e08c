"""Where buckets lie, and what it costs to read one from elsewhere: bucket_locations.yaml."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Literal

from models.catalog import data_file
from models.facts import Facts


class BucketLocations(Facts):
    """The places of several regions, and the price of a GiB that leaves a bucket's place.

    usd_per_gib: from the least to the most, within a continent and between two.
    """

    date: date
    multi_regions: Mapping[str, tuple[str, ...]]
    dual_regions: Mapping[str, tuple[str, ...]]
    usd_per_gib: Mapping[Literal["within", "between"], tuple[float, float]]

    def traffic_usd_per_gib(self, location: str, region: str) -> tuple[float, float] | None:
        """What a GiB costs that a node of the region reads; None if it costs nothing.

        location: in lower case.
        """
        if location == region or region in self.dual_regions.get(location, ()):
            return None
        near = self._continent(location) == region.partition("-")[0]
        return self.usd_per_gib["within" if near else "between"]

    def _continent(self, location: str) -> str:
        """The beginning of the names of regions on the same continent."""
        regions = self.multi_regions.get(location) or self.dual_regions.get(location)
        return (regions[0] if regions else location).partition("-")[0]


@cache
def bucket_locations() -> BucketLocations:
    """Return the table that ships with the program."""
    return BucketLocations.model_validate(data_file.read("bucket_locations.yaml"))
