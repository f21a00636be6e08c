"""What a plan expects of a rollout: how long models take to start, and what nodes cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Final

from models.stack import WithoutRoom

HOURS_A_MONTH: Final = 730

_SHORT_SECONDS: Final = 90
_LONG_MINUTES: Final = 120


@dataclass(frozen=True, kw_only=True)
class Duration:
    """Seconds; `most` is None if nothing is known of the upper end."""

    least: int
    most: int | None

    def __str__(self) -> str:
        """As people read it, from the unit below to the unit above."""
        if self.most is None:
            return f"at least {_minutes(max(60, self.least))}"
        if self.most <= _SHORT_SECONDS:
            return f"{self.least} to {self.most} seconds"
        first, last = max(1, self.least // 60), ceil(self.most / 60)
        if last > _LONG_MINUTES:
            return f"{_minutes(60 * first)} to {_minutes(60 * last)}"
        return _minutes(60 * last) if first == last else f"{first} to {last} minutes"

    def may_exceed(self, seconds: int) -> bool:
        """Whether it may take longer."""
        return self.most is None or self.most > seconds


@dataclass(frozen=True, kw_only=True)
class ModelStart:
    """One model's start. replicas: its minimum.

    anew: on a node that comes for it; beside: next to another version; in_place: on the node that
    the other version leaves.
    """

    replicas: int
    anew: Duration
    beside: Duration
    in_place: Duration


@dataclass(frozen=True, kw_only=True)
class PoolNode:
    """A node of a pool. usd_per_hour: at list price; None if that is not known."""

    gpus: int
    usd_per_hour: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a stack's plan expects.

    models: by the served name; pools: by their ids.
    at_minimum: GPUs by pool that the models take at their minimum of replicas, on whole nodes.
    request_timeout_s: how long a request may take, its wait included; None if that is not known.
    recreates: whether the Ray cluster that answers is deleted before a second one does.
    without_room: what an edited model does if no GPU is free for its second version.
    full: the most GPUs that each pool can have, of those whose models' maxima are more.
    """

    models: Mapping[str, ModelStart] = field(default_factory=dict)
    pools: Mapping[str, PoolNode] = field(default_factory=dict)
    at_minimum: Mapping[str, int] = field(default_factory=dict)
    request_timeout_s: int | None = None
    recreates: bool = False
    without_room: WithoutRoom = WithoutRoom.HOLD
    full: Mapping[str, int] = field(default_factory=dict)

    def slowest_start(self) -> Duration | None:
        """Until all models that keep a replica have started on new nodes; None if none does."""
        starts = [start.anew for start in self.models.values() if start.replicas]
        if not starts:
            return None
        ends = [start.most for start in starts if start.most is not None]
        known = len(ends) == len(starts)
        return Duration(
            least=max(start.least for start in starts), most=max(ends) if known else None
        )

    def has_price(self, pool: str) -> bool:
        """Whether the price of a pool's nodes is known."""
        node = self.pools.get(pool)
        return node is not None and node.usd_per_hour is not None

    def usd_per_hour(self, gpus: Mapping[str, int], *, whole_nodes: bool) -> Decimal | None:
        """What so many GPUs by pool cost; None if a price is not known.

        whole_nodes: on nodes of their own; else by their share of nodes that others fill up.
        """
        total = Fraction(0)
        for pool, count in gpus.items():
            node = self.pools.get(pool)
            if node is None or node.usd_per_hour is None:
                return None
            nodes = Fraction(count, node.gpus)
            total += (ceil(nodes) if whole_nodes else nodes) * Fraction(node.usd_per_hour)
        return Decimal(total.numerator) / Decimal(total.denominator)


def usd_in_all(per_hour: Decimal, duration: Duration) -> str:
    """The price of a duration, as people read it."""
    least = f"{per_hour * duration.least / 3600:.2f}"
    if duration.most is None:
        return f"at least USD {least}"
    most = f"{per_hour * duration.most / 3600:.2f}"
    return f"USD {most}" if least == most else f"USD {least} to {most}"


def gpus_in_words(gpus: Mapping[str, int]) -> Sequence[str]:
    """Counts by pool, in words."""
    return [f"{count} of {pool}" for pool, count in gpus.items()]


def _minutes(seconds: int) -> str:
    minutes = seconds // 60
    if minutes > _LONG_MINUTES:
        return f"{minutes / 60:.0f} hours"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
