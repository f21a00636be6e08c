"""The stack's pools: tier, machine, zones, size, and whether the cloud can deliver them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from models.catalog import (
    GpuTier,
    MachineType,
    gpu_tiers,
    machine_type,
    regions,
    why_no_machine_type,
    zones_with,
)
from models.names import GKE_NAME_LIMIT, GKE_POOL_NODE_LIMIT
from models.problems import Problem, Severity, stops
from models.spelling import nearest_of
from models.stack import GpuPoolSettings, StackSettings
from models.ways_out import WayOut, leave_out, meant, together, use
from planning.infrastructure.allocatable import allocatable, ray_pod
from planning.infrastructure.bin_packing import nodes_for
from planning.infrastructure.capacity import ways_of
from planning.infrastructure.capacity_price import expected_usd_per_hour
from planning.infrastructure.capacity_problems import capacity_problems, name_problems
from planning.infrastructure.cluster import ROUTER_GROUP_ID
from planning.infrastructure.cost_labels import pool_cost_labels
from planning.infrastructure.node_prices import gpu_node_price
from planning.plan import ModelPlan, PodResources, PoolPlan

# The image of Ray with vLLM unpacks to some 30 GB; the rest is for weights.
IMAGE_GB: Final = 40
_SMALLEST_BOOT_DISK_GB: Final = 200
# A replica asks Ray for a CPU; Ray's agents and the import of PyTorch alone take more than 2 GiB.
_SMALLEST_WORKER: Final = PodResources(cpu=1, memory_gib=2)
# A pool's id is its worker group and its Ray resource as well.
_RESERVED_NAMES: Final[Mapping[str, str]] = {
    ROUTER_GROUP_ID: "of the routers' worker group",
    "headgroup": "of KubeRay's head group",
    "memory": "of a resource of Ray itself",
}


def pool_plans(settings: StackSettings) -> tuple[tuple[PoolPlan, ...], tuple[Problem, ...]]:
    """The pools that can be made, in the listed order, and what is wrong with the others.

    The pools have no node counts yet: no models are placed on them.
    """
    plans: list[PoolPlan] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    taken = {
        settings.cluster.cpu_pool.name: "of the CPU pool (cluster.cpuPool)",
        **_RESERVED_NAMES,
    }
    for pool in settings.gpu_pools:
        path = pool.path
        tier = gpu_tiers().get(pool.tier)
        if tier is None:
            problems.append(_unknown_tier(pool, path))
            continue
        problems += _name_problems(pool, path, seen, taken)
        problems += _problems(pool, tier, path)
        problems += _cache_problems(settings, pool, path)
        zones, zone_problems = _zones(settings, pool, tier, path)
        if settings.pools_are_default and stops(zone_problems):
            continue  # a default pool whose GPU the zones lack is left out, not an error
        problems += zone_problems
        seen.add(pool.id)
        machine = machine_type(pool.machine_type or tier.machine_type)
        carries = machine is not None and tier.carried_by(machine)
        problems += capacity_problems(settings, pool, tier, machine if carries else None, zones)
        if machine is None or not carries:
            continue
        price = gpu_node_price(settings.prices, tier, machine.id, settings.region)
        ways = ways_of(pool, zones, price)
        plans.append(
            PoolPlan(
                path=path,
                id=pool.id,
                tier=tier,
                machine_type=machine.id,
                spot=pool.on_spot,
                zones=zones,
                min_nodes=pool.min_nodes,
                max_nodes=min(pool.max_nodes, sum(way.max_nodes for way in ways))
                if ways
                else pool.max_nodes,
                boot_disk_type=machine.boot_disk,
                boot_disk_gb=pool.boot_disk_gb or _boot_disk_gb(tier),
                idle_timeout_seconds=pool.idle_timeout_seconds,
                pod=ray_pod(machine, tier),
                # No cap: KubeRay ignores a change of it on a live cluster, so it is what GKE
                # allows at most, and the node pool's own maximum is the cap.
                max_workers=GKE_POOL_NODE_LIMIT,
                nodes_at_min=0,
                nodes_at_max=0,
                node_usd_per_hour=expected_usd_per_hour(ways, pool.max_nodes)
                if ways
                else price.hourly(pool.on_spot),
                gpu_driver_version=pool.gpu_driver_version,
                compile_cache=pool.compile_cache,
                private_nodes=settings.cluster.private_nodes,
                node_service_account=settings.cluster.node_service_account,
                cost_labels=pool_cost_labels(settings, pool.id),
                ways=ways,
            )
        )
    problems += _names_of_ways(settings, plans)
    none_left = settings.pools_are_default and settings.gpu_pools and not plans
    if none_left and _has_zone_of_region(settings):
        problems.append(_no_default_pool(settings))
    return tuple(plans), tuple(problems)


def _names_of_ways(settings: StackSettings, plans: Sequence[PoolPlan]) -> Iterable[Problem]:
    pools = {pool.id: pool for pool in settings.gpu_pools}
    for plan in plans:
        others = [other.node_pools for other in plans if other is not plan]
        taken = (settings.cluster.cpu_pool.name, *chain.from_iterable(others))
        yield from name_problems(pools[plan.id], plan.ways, taken)


def with_nodes(pools: Sequence[PoolPlan], models: Sequence[ModelPlan]) -> tuple[PoolPlan, ...]:
    """The pools with the nodes that the replicas of their models need, at minimum and maximum."""
    at_min: dict[str, list[int]] = {pool.id: [] for pool in pools}
    at_max: dict[str, list[int]] = {pool.id: [] for pool in pools}
    for model in models:
        at_min[model.pool] += [model.gpus_per_replica] * model.replicas.min
        at_max[model.pool] += [model.gpus_per_replica] * model.replicas.max
    return tuple(
        replace(
            pool,
            nodes_at_min=nodes_for(at_min[pool.id], pool.tier.gpu_count),
            nodes_at_max=nodes_for(at_max[pool.id], pool.tier.gpu_count),
        )
        for pool in pools
    )


def _boot_disk_gb(tier: GpuTier) -> int:
    """Image and twice the GPUs' memory in weights: a change of disk replaces all nodes of the
    pool, so it does not follow the models."""
    return max(_SMALLEST_BOOT_DISK_GB, IMAGE_GB + 2 * round(tier.gpu_memory_gib) * tier.gpu_count)


def _tier_meant(word: str) -> str | None:
    """The tier that a word stands for; people know accelerator and machine types better.

    The accelerators of GKE, the Compute Engine API and older files differ in what stands before
    the GPU's name: `nvidia-l4`, `nvidia-tesla-l4`, `tesla-t4`.
    """
    word = word.lower().removesuffix("-spot")
    for tier in gpu_tiers().values():
        if word == tier.accelerator_type or word in tier.machine_types:
            return tier.id
    bare = word.replace("_", "-")
    for maker in ("nvidia-", "tesla-", "gpu-"):
        bare = bare.removeprefix(maker)
    if bare in gpu_tiers():
        return bare
    near = nearest_of(bare, gpu_tiers())
    # By letters h200-x8 is nearer to b200-x8 than to h200-141gb-x8.
    gpu, _, count = bare.partition("-x")
    model = gpu.partition("-")[0]
    if near is None or near.partition("-")[0] != model:
        for tier in gpu_tiers().values():
            if tier.gpu.partition("-")[0] == model and str(tier.gpu_count) == (count or "1"):
                return tier.id
    return near


def _unknown_tier(pool: GpuPoolSettings, path: str) -> Problem:
    known = ", ".join(gpu_tiers())
    tier = _tier_meant(pool.tier)
    spot = "Spot is a key of its own. " if pool.tier.endswith("-spot") else ""
    ways: tuple[WayOut, ...] = () if tier is None else (meant(f"{path}.tier", tier),)
    if tier is not None and pool.tier.endswith("-spot"):
        both = (use(f"{path}.tier", tier), use(f"{path}.spot", True))
        ways = (together(f"write {{tier: {tier}, spot: true}}", *both),)
    return Problem(
        path=f"{path}.tier",
        value=pool.tier,
        reason="is not a GPU tier of the catalogue",
        remedy=f"{f'Did you mean {tier}? ' if tier else ''}{spot}Known tiers: {known}",
        rule="tier-unknown",
        candidates=ways,
    )


def _has_zone_of_region(settings: StackSettings) -> bool:
    return any(zone.startswith(f"{settings.region}-") for zone in settings.cluster.zones)


def _no_default_pool(settings: StackSettings) -> Problem:
    tried = ", ".join(pool.tier for pool in settings.gpu_pools)
    here = [
        tier.id
        for tier in gpu_tiers().values()
        if set(zones_with(tier.accelerator_type, settings.region) or ())
        & set(settings.cluster.zones)
    ]
    return Problem(
        path="ray-llm:gpuPools",
        reason=f"is left out, and the cluster's zones ({', '.join(settings.cluster.zones)}) offer "
        f"none of the default tiers {tried}",
        remedy="Choose other tiers, other zones or another region",
        rule="zone-without-gpu",
        candidates=(
            *(use("ray-llm:gpuPools", [tier], f"list gpuPools: [{tier}]", "pool") for tier in here),
            *(
                ()
                if len(here) < 2
                else (use("ray-llm:gpuPools", here, f"list some of {', '.join(here)}"),)
            ),
        ),
    )


def _name_problems(
    pool: GpuPoolSettings, path: str, seen: set[str], taken: Mapping[str, str]
) -> Iterable[Problem]:
    if pool.id in taken:
        yield Problem(
            path=f"{path}.name",
            value=pool.id,
            reason=f"is the name {taken[pool.id]}",
            remedy="Give the pool another name",
            rule="pool-twice",
            candidates=(
                leave_out(f"{path}.name", "leave name out to use its tier's"),
                use(f"{path}.name", f"gpu-{pool.id}"),
            ),
        )
    if pool.id in seen:
        yield Problem(
            path=path,
            value=pool.id,
            reason="is also the name of an earlier pool",
            remedy="Give one of them another name: name: <pool>",
            rule="pool-twice",
            candidates=(
                use(f"{path}.name", f"{pool.id[: GKE_NAME_LIMIT - 3]}-{number}", group="name")
                for number in range(2, 6)
            ),
        )
    if len(pool.id) > GKE_NAME_LIMIT:
        yield Problem(
            path=path,
            value=pool.id,
            reason=f"has {len(pool.id)} characters and GKE allows {GKE_NAME_LIMIT}",
            remedy="Give the pool a shorter name",
            rule="invalid-value",
            candidates=(use(f"{path}.name", pool.id[:GKE_NAME_LIMIT].rstrip("-")),),
        )


def _problems(pool: GpuPoolSettings, tier: GpuTier, path: str) -> Iterable[Problem]:
    wanted = "spot" if pool.on_spot else "on-demand"
    if not pool.ways and wanted not in tier.provisioning:
        yield Problem(
            path=path,
            value=pool.id,
            reason=f"is not available {'as spot' if pool.on_spot else 'on demand'}: of the ways in "
            f"which Google sells {tier.machine_type}, a pool here can only be {_ways(tier)}",
            remedy="Choose another tier",
            rule="tier-provisioning",
            candidates=_ways_to_buy(pool, tier, path),
        )
    if pool.machine_type is not None:
        yield from _machine_problems(pool.machine_type, tier, f"{path}.machineType")


def _cache_problems(settings: StackSettings, pool: GpuPoolSettings, path: str) -> Iterable[Problem]:
    if pool.compile_cache is not None and pool.compile_cache == settings.weights.disk:
        yield Problem(
            path=f"{path}.compileCache",
            value=pool.compile_cache,
            reason="is the claim of weights.disk, too, which nodes mount read-only",
            remedy="Name another claim",
            rule="invalid-value",
            candidates=(leave_out(f"{path}.compileCache", "leave it out"),),
        )


def _machine_problems(name: str, tier: GpuTier, path: str) -> Iterable[Problem]:
    machine = machine_type(name)
    if machine is None or not tier.carried_by(machine):
        why = (
            f"does not carry {tier.gpu_count} x {tier.gpu_name}"
            if machine is not None or tier.attached_to is None
            else why_no_machine_type(name)
        )
        yield Problem(
            path=path,
            value=name,
            reason=why,
            remedy=f"The machine types with these GPUs are {_carriers(tier)}",
            rule="machine-type",
            candidates=(
                leave_out(path, f"leave it out ({tier.machine_type})"),
                *(
                    use(path, other, f"use machineType: {other}")
                    for other in tier.machine_types
                    if other != tier.machine_type
                ),
            ),
        )
    elif not _holds_a_worker(machine):
        room = allocatable(machine)
        yield Problem(
            path=path,
            value=name,
            reason=f"leaves {max(0.0, room.cpu_for_pods):.1f} CPUs and "
            f"{max(0.0, room.memory_gib_for_pods):.1f} GiB for pods, and a Ray worker takes "
            f"{_SMALLEST_WORKER.cpu} and at least {_SMALLEST_WORKER.memory_gib}",
            remedy="Use a larger machine",
            rule="pod-allocatable",
            candidates=(leave_out(path, f"leave it out ({tier.machine_type})"),),
        )


def _holds_a_worker(machine: MachineType) -> bool:
    room = allocatable(machine)
    return (
        room.cpu_for_pods >= _SMALLEST_WORKER.cpu
        and room.memory_gib_for_pods >= _SMALLEST_WORKER.memory_gib
    )


def _carriers(tier: GpuTier) -> str:
    """The machines that carry a tier's GPUs."""
    if tier.attached_to is None:
        return ", ".join(tier.machine_types)
    series = " or ".join(name.upper() for name in tier.attached_to.series)
    return (
        f"{series} machines of at most {tier.attached_to.max_vcpus} vCPUs and "
        f"{tier.attached_to.max_memory_gib} GiB, such as {tier.machine_type}"
    )


def _ways(tier: GpuTier) -> str:
    """How a pool of a tier can be provisioned without `capacity`."""
    return " or ".join(way for way in ("on-demand", "spot") if way in tier.provisioning)


def _ways_to_buy(pool: GpuPoolSettings, tier: GpuTier, path: str) -> Iterable[WayOut]:
    """The other way of buying, if there is one; or a tier with as much memory that is sold so.

    The first is tried with the pool's name kept as well, because models may name it.
    """
    wanted = "spot" if pool.on_spot else "on-demand"
    named = use(f"{path}.name", pool.id)
    other = use(f"{path}.spot", not pool.on_spot, f"set spot: {str(not pool.on_spot).lower()}")
    if {"spot", "on-demand"} & tier.provisioning:
        yield replace(other, group="buy")
        yield together(f"{other.words} with name: {pool.id}", other, named, group="buy")
    memory = tier.gpu_memory_gib * tier.gpu_count
    larger = [
        row
        for row in gpu_tiers().values()
        if wanted in row.provisioning and row.gpu_memory_gib * row.gpu_count >= memory
    ]
    for row in sorted(larger, key=lambda row: (row.gpu_memory_gib * row.gpu_count, row.gpu_count)):
        yield use(f"{path}.tier", row.id, group="tier")


def _zones(
    settings: StackSettings,
    pool: GpuPoolSettings,
    tier: GpuTier,
    path: str,
) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """The zones of a pool: the stated ones, checked, or the cluster's that have the GPU."""
    offered = zones_with(tier.accelerator_type, settings.region)
    stated = pool.zones if pool.zones is not None else settings.cluster.zones
    if offered is None:
        problem = Problem(
            path=path,
            value=pool.id,
            reason=f"could not be checked: the catalogue does not know the zones of "
            f"{settings.region} (it knows {', '.join(regions())})",
            remedy=f"Check that {', '.join(stated)} offer {tier.accelerator_type}",
            rule="zones-unknown",
            severity=Severity.WARN,
        )
        return stated, (problem,)
    if pool.zones is not None:
        return stated, tuple(_zone_problems(pool.zones, offered, settings.region, tier, path))
    if not _has_zone_of_region(settings):
        return stated, ()  # the problem of the cluster's zones says so
    common = tuple(zone for zone in stated if zone in offered)
    if common:
        return common, ()
    problem = Problem(
        path=path,
        value=pool.id,
        reason=f"needs {tier.accelerator_type}, which none of the cluster's zones "
        f"({', '.join(stated)}) offers",
        remedy="Choose another tier or region"
        if offered
        else f"{settings.region} has none: choose another tier or region",
        rule="zone-without-gpu",
        candidates=_zone_ways(path, offered),
    )
    return (), (problem,)


def _zone_ways(path: str, offered: Sequence[str]) -> Iterable[WayOut]:
    if offered:
        yield use(f"{path}.zones", list(offered))


def _zone_problems(
    zones: Sequence[str], offered: Sequence[str], region: str, tier: GpuTier, path: str
) -> Iterable[Problem]:
    for zone in zones:
        if zone in offered:
            continue
        outside = not zone.startswith(f"{region}-")
        yield Problem(
            path=f"{path}.zones",
            value=zone,
            reason=f"is outside the region {region}"
            if outside
            else f"does not offer {tier.accelerator_type}",
            remedy="Choose other zones, or another tier or region"
            if offered
            else f"{region} has none: choose another tier or region",
            rule="zone-outside-region" if outside else "zone-without-gpu",
            candidates=_zone_ways(path, offered),
        )
