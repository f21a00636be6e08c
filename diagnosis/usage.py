"""How long nodes ran and replicas worked over a period, and what of that cannot be known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True)
class Period:
    """From a moment to another, both with a zone."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> float:
        """Its length."""
        return (self.end - self.start) / timedelta(hours=1)

    def overlap_hours(self, start: datetime, end: datetime) -> float:
        """The hours of it between two moments; zero if they are outside of it."""
        return max(timedelta(), min(self.end, end) - max(self.start, start)) / timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What ran in a period.

    source: who said it, for people.
    node_hours: by pool, that of the CPUs as well; a pool that is not in it is not known.
    hours_of_ways: of the nodes of pools with several ways to pay, by pool and then by node pool; a
        pool that is not in it is not known by way.
    gpu_hours: of the replicas that ran, by model; a model that is not in it is not known.
    is_whole: whether nothing is missing; else the hours are the least that there were.
    gaps: what could not be seen, a sentence each.
    """

    period: Period
    source: str
    node_hours: Mapping[str, float]
    gpu_hours: Mapping[str, float]
    is_whole: bool
    gaps: tuple[str, ...] = field(default=())
    hours_of_ways: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
