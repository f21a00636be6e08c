"""The ways to pay for a pool's nodes: a GKE node pool for each.

One node pool has the pool's own name, so that a pool that is there already stays when further ways
are listed: the one on demand, or on spot in a pool whose name ends with -spot. The names of the
others say the way, never its place in the list.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from models.capacity import Buying, CapacityWay
from models.catalog import Provisioning
from models.names import GKE_NAME_LIMIT
from models.stack import GpuPoolSettings
from planning.infrastructure.node_prices import NodePrice
from planning.plan import WayPlan

SOLD_AS: Final[dict[Buying, Provisioning]] = {
    Buying.RESERVATION: "reservation",
    Buying.ON_DEMAND: "on-demand",
    Buying.FLEX_START: "flex-start",
    Buying.SPOT: "spot",
}
_HASH_LETTERS: Final = 5


def ways_of(pool: GpuPoolSettings, zones: Sequence[str], price: NodePrice) -> tuple[WayPlan, ...]:
    """The ways of a pool in their order; empty if `spot` says all."""
    keeper = _keeper(pool.ways)
    return tuple(
        WayPlan(
            path=way_path(pool, index),
            node_pool=_node_pool(pool, way),
            buying=way.buying,
            zones=_zones(way, zones),
            min_nodes=min(pool.min_nodes, most) if way is keeper else 0,
            max_nodes=most,
            reservation=way.reservation,
            reserved_nodes=way.nodes,
            run_seconds=way.flex_start_seconds,
            usd_per_hour=price.of(way.buying),
            price_is_a_bound=way.buying is Buying.FLEX_START and price.flex_start is None,
        )
        for index, way in enumerate(pool.ways)
        for most in (min(pool.max_nodes, way.nodes or pool.max_nodes),)
    )


def _keeper(ways: Sequence[CapacityWay]) -> CapacityWay | None:
    """The way whose nodes stay for `minNodes`: the one that nothing ends, if there is one."""
    ranked = sorted(ways, key=lambda way: (way.buying is not Buying.ON_DEMAND, way.buying.ends))
    return ranked[0] if ranked else None


def way_path(pool: GpuPoolSettings, index: int) -> str:
    """The path of an entry of `capacity` in the stack file."""
    return f"{pool.path}.capacity[{index}]"


def _node_pool(pool: GpuPoolSettings, way: CapacityWay) -> str:
    usual = Buying.SPOT if pool.id.endswith("-spot") else Buying.ON_DEMAND
    if len(pool.ways) == 1 or way.buying is usual:
        return pool.id
    if way.reservation is None:
        return f"{pool.id}-{SOLD_AS[way.buying]}"
    # A further zone may have a reservation of the same name.
    first = next(other for other in pool.ways if other.reservation == way.reservation)
    own = way.reservation if way is first else f"{way.reservation}-{way.zone}"
    name = f"{pool.id}-res-{own.rpartition('/')[2]}"
    if len(name) <= GKE_NAME_LIMIT and "/" not in own:
        return name
    digest = hashlib.sha256(own.encode()).hexdigest()[:_HASH_LETTERS]
    return f"{name[: GKE_NAME_LIMIT - _HASH_LETTERS - 1].rstrip('-')}-{digest}"


def _zones(way: CapacityWay, zones: Sequence[str]) -> tuple[str, ...]:
    if way.reservation is None:
        return tuple(zones)
    return (way.zone,) if way.zone is not None else tuple(zones[:1])
