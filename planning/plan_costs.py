"""The figures of a plan in money and quota, as frozen data; cost.py and quota.py make them.

`Levels` is one quantity at the three loads that every figure is given for. Money is USD a month of
730 hours; None means an unknown price, never zero.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

HOURS_PER_MONTH: Final = 730
HOURS_PER_WEEK: Final = 168


@dataclass(frozen=True, kw_only=True)
class Levels:
    """A quantity with all models at their minimum, in a typical month, and at their maximum."""

    minimum: Decimal
    typical: Decimal
    maximum: Decimal

    @classmethod
    def between(cls, minimum: int, maximum: int, load_factor: Decimal) -> "Levels":
        """From minimum to maximum, in a typical month `load_factor` of the way up."""
        return cls(
            minimum=Decimal(minimum),
            typical=minimum + load_factor * (maximum - minimum),
            maximum=Decimal(maximum),
        )

    @classmethod
    def total(cls, parts: Iterable["Levels"]) -> "Levels":
        """The sum of all parts; zero without any."""
        zero = cls(minimum=Decimal(0), typical=Decimal(0), maximum=Decimal(0))
        return sum(parts, start=zero)

    def __add__(self, other: "Levels") -> "Levels":
        return self.with_(other, lambda mine, its: mine + its)

    def __sub__(self, other: "Levels") -> "Levels":
        return self.with_(other, lambda mine, its: mine - its)

    def __mul__(self, factor: Decimal) -> "Levels":
        return Levels(
            minimum=self.minimum * factor,
            typical=self.typical * factor,
            maximum=self.maximum * factor,
        )

    def with_(self, other: "Levels", combine: Callable[[Decimal, Decimal], Decimal]) -> "Levels":
        """The two combined level by level."""
        return Levels(
            minimum=combine(self.minimum, other.minimum),
            typical=combine(self.typical, other.typical),
            maximum=combine(self.maximum, other.maximum),
        )


@dataclass(frozen=True, kw_only=True)
class WayCost:
    """One way to pay for a pool's nodes. usd_per_hour: of a node; None if not known.

    nodes: how many of the pool's nodes are expected by it.
    price_is_a_bound: whether a node costs at most that.
    """

    node_pool: str
    nodes: Levels
    usd_per_hour: Decimal | None
    price_is_a_bound: bool = False


@dataclass(frozen=True, kw_only=True)
class CapacityCost:
    """What the nodes of a pool with several ways to pay cost; None if a price is not known.

    ways: in the order of preference.
    reserved: nodes that are paid for, used or not; reserved_usd_per_hour: of one of them.
    expected_usd_per_hour, cheapest_usd_per_hour, dearest_usd_per_hour: of a node that is not one of
        these; expected: with the shares of capacity_price.py.
    """

    ways: tuple[WayCost, ...]
    reserved: Decimal
    reserved_usd_per_hour: Decimal | None
    expected_usd_per_hour: Decimal | None
    cheapest_usd_per_hour: Decimal | None
    dearest_usd_per_hour: Decimal | None

    def monthly(self, nodes: Levels, usd_per_hour: Decimal | None) -> Levels | None:
        """USD a month of so many nodes, those that are not reserved at one price."""
        if usd_per_hour is None or (self.reserved and self.reserved_usd_per_hour is None):
            return None
        of_reserved = self.reserved * (self.reserved_usd_per_hour or Decimal(0))
        reserved = Levels.between(1, 1, Decimal(0))
        others = nodes - reserved * self.reserved
        return (reserved * of_reserved + others * usd_per_hour) * Decimal(HOURS_PER_MONTH)


@dataclass(frozen=True, kw_only=True)
class PoolCost:
    """What one GPU pool costs, and how much of it works.

    on_demand_usd_per_hour, spot_usd_per_hour: of one node; the pool pays one of the two.
    nodes, gpus_paid: as the cluster autoscaler keeps them; gpus_used: by replicas.
    monthly: as the pool is; monthly_otherwise: with spot for on demand or the reverse.
    capacity: of several ways to pay; None if the pool pays one of the two prices.
    nodes_asleep: how many of the nodes are not there on the average, because models sleep. Neither
        the nodes and GPUs nor the money of this pool has them taken off; the stack's total has.
    """

    pool: str
    spot: bool
    on_demand_usd_per_hour: Decimal | None
    spot_usd_per_hour: Decimal | None
    nodes: Levels
    gpus_paid: Levels
    gpus_used: Levels
    monthly: Levels | None
    monthly_otherwise: Levels | None
    nodes_asleep: Levels = Levels(minimum=Decimal(0), typical=Decimal(0), maximum=Decimal(0))
    capacity: CapacityCost | None = None

    @property
    def usd_per_hour(self) -> Decimal | None:
        """The expected price of a node that comes and goes; None if it is not known."""
        if self.capacity is not None:
            return self.capacity.expected_usd_per_hour
        return self._price(self.spot)

    def saved(self, *, spot: bool | None = None) -> Levels:
        """USD a month that off-hours save on these nodes; zero if the price is not known.

        spot: with all nodes on spot, or on demand; None as the pool is.
        """
        return self._saved(self.usd_per_hour if spot is None else self._price(spot))

    def monthly_if(self, *, spot: bool) -> Levels | None:
        """USD a month with all nodes on spot, or on demand."""
        if self.capacity is not None:
            price = self._price(spot)
            return None if price is None else self.nodes * (price * HOURS_PER_MONTH)
        return self.monthly if self.spot is spot else self.monthly_otherwise

    @property
    def cheapest(self) -> Levels | None:
        """USD a month, less what off-hours save, if the cheapest way always has a node."""
        return self._at(None if self.capacity is None else self.capacity.cheapest_usd_per_hour)

    @property
    def dearest(self) -> Levels | None:
        """USD a month, less what off-hours save, if only the dearest way has nodes."""
        return self._at(None if self.capacity is None else self.capacity.dearest_usd_per_hour)

    @property
    def expected(self) -> Levels | None:
        """USD a month, less what off-hours save."""
        return None if self.monthly is None else self.monthly - self.saved()

    def _at(self, usd_per_hour: Decimal | None) -> Levels | None:
        if self.capacity is None:
            return self.expected
        monthly = self.capacity.monthly(self.nodes, usd_per_hour)
        return None if monthly is None else monthly - self._saved(usd_per_hour)

    def _saved(self, usd_per_hour: Decimal | None) -> Levels:
        return self.nodes_asleep * ((usd_per_hour or Decimal(0)) * HOURS_PER_MONTH)

    def _price(self, spot: bool) -> Decimal | None:
        return self.spot_usd_per_hour if spot else self.on_demand_usd_per_hour

    @property
    def gpus_idle(self) -> Levels:
        """GPUs paid for that no replica uses."""
        return self.gpus_paid - self.gpus_used


@dataclass(frozen=True, kw_only=True)
class ModelCost:
    """A model's share of its pool, by the GPUs of its replicas; idle GPUs belong to no model."""

    model: str
    monthly: Levels | None


@dataclass(frozen=True, kw_only=True)
class CpuPoolCost:
    """The CPU pool: Ray head and routers."""

    pool: str
    usd_per_hour: Decimal | None
    nodes: Levels
    monthly: Levels | None


@dataclass(frozen=True, kw_only=True)
class StackCost:
    """What a stack costs a month at list prices, disks and traffic excluded.

    pools: by the pool's id; models: by the served name.
    cpu_pool, cluster_fee: None for an adopted cluster, whose owner pays them anyway.
    load_balancer: the forwarding rule of the gateway; None without one. What goes through it costs
        more by the GiB.
    price_date: of the catalogue's prices; overridden: the keys that the stack prices itself.
    """

    price_date: date
    overridden: tuple[str, ...]
    load_factor: Decimal
    monthly_budget: Decimal | None
    pools: Mapping[str, PoolCost]
    models: Mapping[str, ModelCost]
    cpu_pool: CpuPoolCost | None
    cluster_fee: Levels | None
    load_balancer: Levels | None = None

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Pools whose price is not known and that the totals therefore leave out."""
        gpu_pools = [pool.pool for pool in self.pools.values() if pool.monthly is None]
        cpu_pool = self.cpu_pool
        return (*gpu_pools, *([cpu_pool.pool] if cpu_pool and cpu_pool.monthly is None else []))

    @property
    def total(self) -> Levels:
        """The sum of all that has a known price, less what off-hours save."""
        parts = [pool.monthly for pool in self.pools.values()]
        known = (part for part in (*parts, *self.of_no_pool.values()) if part is not None)
        return Levels.total(known) - self.saved

    @property
    def saved(self) -> Levels:
        """What off-hours save of it; with all models at their maximum all month, nothing."""
        return Levels.total(pool.saved() for pool in self.pools.values())

    def total_if(self, spot: bool) -> Levels | None:
        """The total with every GPU pool on spot, or on demand; None if a price is unknown."""
        parts = [pool.monthly_if(spot=spot) for pool in self.pools.values()]
        if None in parts or (self.cpu_pool and self.cpu_pool.monthly is None):
            return None
        saved = Levels.total(pool.saved(spot=spot) for pool in self.pools.values())
        known = (part for part in (*parts, *self.of_no_pool.values()) if part is not None)
        return Levels.total(known) - saved

    @property
    def cheapest(self) -> Levels | None:
        """The total if the cheapest way of each pool always has a node; None without several ways.

        None as well if a price is not known.
        """
        return self._range([pool.cheapest for pool in self.pools.values()])

    @property
    def dearest(self) -> Levels | None:
        """The total if only the dearest way of each pool has nodes; None as `cheapest`."""
        return self._range([pool.dearest for pool in self.pools.values()])

    def _range(self, parts: Sequence[Levels | None]) -> Levels | None:
        if self.unpriced or all(pool.capacity is None for pool in self.pools.values()):
            return None
        known = [part for part in (*parts, *self.of_no_pool.values()) if part is not None]
        return None if None in parts else Levels.total(known)

    @property
    def of_no_pool(self) -> Mapping[str, Levels]:
        """What GPU pools have no part in, by the words for it; without unknown prices."""
        parts = {
            "the CPU pool": self.cpu_pool.monthly if self.cpu_pool else None,
            "the cluster's fee": self.cluster_fee,
            "the load balancer": self.load_balancer,
        }
        return {words: levels for words, levels in parts.items() if levels is not None}

    @property
    def gpus_idle(self) -> Levels:
        """GPUs paid for that no replica uses, over all pools."""
        return Levels.total(pool.gpus_idle for pool in self.pools.values())


@dataclass(frozen=True, kw_only=True)
class QuotaNeed:
    """What a stack needs of one Compute Engine quota, and the limit that the stack file gives.

    minimum: with all models at their minimum replicas, and one that sleeps awake.
    upgrade: while a second RayCluster starts next to the first, both at their minimum.
    stated: with each pool at the maxNodes that the stack file states, the others at the minimum.
    peak: with the others at their models' maxima as well.
    of_node: what a node of each GPU pool counts for, however it is paid for.
    replaceable: how much of `stated` and `peak` may come by another way to pay, against another
        quota, if there is too little of this one.
    others: what the other nodes count for while a second RayCluster starts, whatever their pool's
        maximum; others_of_one: for one RayCluster; others_recreating: for one and the head of
        another.
    """

    metric: str
    minimum: int
    upgrade: int
    stated: int
    peak: int
    limit: int | None
    of_node: Mapping[str, int]
    others: int
    others_of_one: int
    others_recreating: int
    replaceable: int = 0
