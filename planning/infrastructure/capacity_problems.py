"""What is wrong with the ways to pay for a pool: not sold, or not what was reserved.

What Google knows of a reservation is not asked, so only what the stack file says is compared.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from models.capacity import Buying, CapacityWay
from models.catalog import GpuTier, MachineType, zones_with
from models.names import GKE_NAME_LIMIT
from models.problems import Problem
from models.stack import GpuPoolSettings, StackSettings
from models.ways_out import WayOut, leave_out, outside, use
from planning.infrastructure.capacity import SOLD_AS, way_path
from planning.plan import WayPlan

# Names of ComputeClasses that GKE keeps for itself:
# https://cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes
_RESERVED_PREFIXES: Final = ("gke", "autopilot")
_IN_WORDS: Final[dict[Buying, str]] = {
    Buying.RESERVATION: "by reservation",
    Buying.ON_DEMAND: "on demand",
    Buying.FLEX_START: "as flex-start",
    Buying.SPOT: "as spot",
}


def capacity_problems(
    settings: StackSettings,
    pool: GpuPoolSettings,
    tier: GpuTier,
    machine: MachineType | None,
    zones: Sequence[str],
) -> Iterable[Problem]:
    """What is wrong with the ways of one pool."""
    if not pool.ways:
        return
    for index, way in enumerate(pool.ways):
        path = way_path(pool, index)
        if SOLD_AS[way.buying] not in tier.provisioning:
            yield _not_sold(pool, tier, way, path)
        elif way.reservation is not None:
            yield from _zone_problems(settings, tier, way, path, zones)
            if machine is not None:
                yield from _machine_problems(pool, tier, machine, way, path)
    if len(pool.ways) > 1 and pool.id.startswith(_RESERVED_PREFIXES):
        yield Problem(
            path=pool.path if pool.name is None else f"{pool.path}.name",
            value=pool.id,
            reason="would be the name of a ComputeClass, and GKE keeps names that start with "
            f"{' or '.join(_RESERVED_PREFIXES)} for itself",
            remedy="Give the pool another name",
            rule="invalid-value",
            candidates=(
                use(f"{pool.path}.name", f"gpu-{pool.id}"),
                leave_out(f"{pool.path}.name", "leave name out to use its tier's"),
            ),
        )


def _not_sold(pool: GpuPoolSettings, tier: GpuTier, way: CapacityWay, path: str) -> Problem:
    others = [other for other in pool.ways if other is not way]
    sold = " or ".join(sorted(tier.provisioning))
    return Problem(
        path=path,
        value=way.buying.value,
        reason=f"is not available: Google does not sell {tier.machine_type} "
        f"{_IN_WORDS[way.buying]}, but as {sold}",
        remedy="Choose another way, or another tier",
        rule="tier-provisioning",
        candidates=(
            leave_out(path, f"leave {way.buying.value} out of capacity"),
            leave_out(f"{pool.path}.capacity", "leave capacity out"),
        )
        if others
        else _instead(path, tier),
    )


def _instead(path: str, tier: GpuTier) -> Iterable[WayOut]:
    if "flex-start" in tier.provisioning:
        yield use(path, {"flexStart": "7d"})
    if "spot" in tier.provisioning:
        yield use(path, "spot")


def _zone_problems(
    settings: StackSettings, tier: GpuTier, way: CapacityWay, path: str, zones: Sequence[str]
) -> Iterable[Problem]:
    if not settings.region:
        return  # the pool is somebody else's: there is nothing to compare with
    offered = zones_with(tier.accelerator_type, settings.region)
    known = list(zones) if offered is None else list(offered)
    where = f"{path}.zone"
    if way.zone is None:
        if len(zones) != 1:
            yield Problem(
                path=where,
                reason=f"is missing: a reservation lies in one zone, and the pool is in "
                f"{', '.join(zones) or 'none'}",
                remedy="Write the zone that the reservation was made in",
                rule="reservation-zone",
                candidates=(use(where, zone, group="zone") for zone in zones or known),
            )
    elif not way.zone.startswith(f"{settings.region}-") or (
        offered is not None and way.zone not in offered
    ):
        outside_region = not way.zone.startswith(f"{settings.region}-")
        yield Problem(
            path=where,
            value=way.zone,
            reason=f"is outside the region {settings.region} of the cluster"
            if outside_region
            else f"does not offer {tier.accelerator_type}, so the reservation is not of the pool's "
            "machine",
            remedy="Write the zone that the reservation was made in, or leave the entry out",
            rule="reservation-zone",
            candidates=(
                *(use(where, zone, group="zone") for zone in known),
                leave_out(path, "leave the reservation out"),
            ),
        )


def _machine_problems(
    pool: GpuPoolSettings, tier: GpuTier, machine: MachineType, way: CapacityWay, path: str
) -> Iterable[Problem]:
    """A node only takes a reservation of exactly its machine and GPUs.

    https://cloud.google.com/compute/docs/instances/reservations-consume
    """
    if way.machine_type is not None and way.machine_type != machine.id:
        yield Problem(
            path=f"{path}.machineType",
            value=way.machine_type,
            reason=f"is reserved and the pool has {machine.id}, so no node would start from the "
            "reservation",
            remedy="Use a reservation of the pool's machine",
            rule="reservation-machine",
            candidates=(
                *(
                    (use(f"{pool.path}.machineType", way.machine_type),)
                    if way.machine_type in tier.machine_types
                    else ()
                ),
                leave_out(path, "leave the reservation out"),
                outside(f"reserve {machine.id}"),
            ),
        )
        return
    missing = [
        *(["machineType"] if way.machine_type is None else []),
        *(["nodes"] if way.nodes is None else []),
    ]
    if missing:
        means = {
            "machineType": f"nothing checks that it is of {machine.id}",
            "nodes": "the plan cannot say what of it is paid for and not used",
        }
        yield Problem(
            path=path,
            value=way.reservation,
            reason=f"does not say {' and '.join(missing)}: "
            f"{' and '.join(means[key] for key in missing)}",
            remedy="Write what `gcloud compute reservations describe` says: "
            + " and ".join(
                f"machineType: {machine.id}" if key == "machineType" else "nodes: <count>"
                for key in missing
            ),
            rule="reservation-unchecked",
        )


def name_problems(
    pool: GpuPoolSettings, ways: Sequence[WayPlan], taken: Iterable[str]
) -> Iterable[Problem]:
    """Node pools of a pool's ways whose names are too long, or those of other node pools.

    taken: the names of all other node pools.
    """
    others = frozenset(taken)
    for way in ways:
        if way.node_pool == pool.id:
            continue  # the pool's own name is checked for all pools
        if len(way.node_pool) > GKE_NAME_LIMIT:
            room = GKE_NAME_LIMIT - (len(way.node_pool) - len(pool.id))
            yield Problem(
                path=way.path,
                value=way.node_pool,
                reason=f"would be the name of its node pool, has {len(way.node_pool)} characters, "
                f"and GKE allows {GKE_NAME_LIMIT}",
                remedy="Give the pool a shorter name",
                rule="invalid-value",
                candidates=(use(f"{pool.path}.name", pool.id[:room].rstrip("-")),),
            )
        elif way.node_pool in others:
            yield Problem(
                path=way.path,
                value=way.node_pool,
                reason="would be the name of its node pool, and another pool has it",
                remedy="Give one of the pools another name: name: <pool>",
                rule="pool-twice",
                candidates=(
                    use(f"{pool.path}.name", f"{pool.id[: GKE_NAME_LIMIT - 15]}-{word}", "", "name")
                    for word in ("any", "any-2", "any-3")
                ),
            )
