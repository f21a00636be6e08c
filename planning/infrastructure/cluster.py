"""The cluster, its CPU pool and the pods of Ray that need no GPU."""

from collections.abc import Iterable, Sequence
from typing import Final

from models.catalog import (
    USUAL_BOOT_DISK,
    machine_type,
    machine_types,
    regions,
    why_no_machine_type,
)
from models.names import GKE_POOL_NODE_LIMIT
from models.problems import Problem, Severity
from models.spelling import nearest, nearest_of
from models.stack import StackSettings
from models.ways_out import WayOut, leave_out, meant, use
from planning.infrastructure.allocatable import allocatable
from planning.infrastructure.cost_labels import pool_cost_labels
from planning.plan import ClusterPlan, CpuPoolPlan, ModelPlan, PodResources, RouterGroupPlan

# The head runs GCS, dashboard, autoscaler and the Serve controller, and takes no replicas.
# KubeRay advises 8 GiB or more for it.
HEAD: Final = PodResources(cpu=3, memory_gib=12)
# A pod of the router group: a router takes one CPU and well under a GiB. With the head it fits
# on one e2-standard-8 with KubeRay, so that an idle stack keeps one CPU node.
ROUTERS: Final = PodResources(cpu=3, memory_gib=8)
ROUTER_GROUP_ID: Final = "routers"
_CPU_BOOT_DISK_GB: Final = 100  # the Ray image and the system; no weights come here


def cluster_plan(settings: StackSettings) -> tuple[ClusterPlan, tuple[Problem, ...]]:
    """The cluster that will be created or adopted, and what is wrong with its settings."""
    cluster = settings.cluster
    cpu_pool = cluster.cpu_pool
    machine = machine_type(cpu_pool.machine_type)
    plan = ClusterPlan(
        name=cluster.name,
        location=cluster.location or settings.region,
        zones=cluster.zones,
        existing=cluster.existing,
        context=cluster.context,
        deletion_protection=cluster.deletion_protection,
        release_channel=cluster.release_channel,
        network=cluster.network,
        subnetwork=cluster.subnetwork,
        cpu_pool=CpuPoolPlan(
            name=cpu_pool.name,
            machine_type=cpu_pool.machine_type,
            min_nodes=cpu_pool.min_nodes,
            max_nodes=cpu_pool.max_nodes,
            boot_disk_type=USUAL_BOOT_DISK if machine is None else machine.boot_disk,
            boot_disk_gb=_CPU_BOOT_DISK_GB,
            private_nodes=cluster.private_nodes,
            node_service_account=cluster.node_service_account,
            cost_labels=pool_cost_labels(settings, cpu_pool.name),
        ),
        makes_cloud_nat=bool(cluster.private_nodes) and cluster.cloud_nat == "create",
        allocates_cost=settings.cost_allocation is not None,
    )
    return plan, (*_zone_problems(settings), *_cpu_pool_problems(settings))


def router_group(models: Sequence[ModelPlan]) -> RouterGroupPlan:
    """The CPU worker group of the routers.

    Constant except for its number of pods: any other change by a model edit would start a second
    cluster.
    """
    return RouterGroupPlan(
        id=ROUTER_GROUP_ID,
        resource=ROUTER_GROUP_ID,
        slots_per_pod=ROUTERS.cpu,
        pod=ROUTERS,
        max_workers=GKE_POOL_NODE_LIMIT,
        pods_at_min=-(-sum(model.routers.min for model in models) // ROUTERS.cpu),
    )


def _zone_problems(settings: StackSettings) -> Iterable[Problem]:
    if not settings.region:
        return  # could not be read: there is nothing to compare with
    known = regions().get(settings.region)
    location = settings.cluster.location
    if location is not None and location not in (settings.region, *settings.cluster.zones):
        yield Problem(
            path="ray-llm:cluster.location",
            value=location,
            reason=f"is neither the region {settings.region} (gcp:region) nor one of the zones",
            remedy="Give the region of a regional cluster, or the zone of a zonal one",
            rule="zone-outside-region",
            candidates=(
                use(
                    "ray-llm:cluster.location",
                    settings.region,
                    f"use {settings.region} for a regional cluster",
                ),
                *(
                    use("ray-llm:cluster.location", zone, f"use {zone} for a zonal one", "zone")
                    for zone in settings.cluster.zones
                ),
            ),
        )
    for index, zone in enumerate(settings.cluster.zones):
        path = f"ray-llm:cluster.zones[{index}]"
        if not zone.startswith(f"{settings.region}-"):
            yield Problem(
                path=path,
                value=zone,
                reason=f"is outside the region {settings.region} (gcp:region)",
                remedy=f"The zones are {', '.join(known.zones)}" if known else "Change one of them",
                rule="zone-outside-region",
                candidates=_zone_ways(settings, path, zone),
            )
        elif known is not None and zone not in known.zones:
            yield Problem(
                path=path,
                value=zone,
                reason=f"is not a zone of {settings.region}",
                remedy=f"The zones are {', '.join(known.zones)}",
                rule="zone-unknown",
                candidates=_zone_ways(settings, path, zone),
            )
    if known is None:
        yield Problem(
            path="gcp:region",
            value=settings.region,
            reason=f"is not a region of the catalogue, which knows {', '.join(regions())}",
            remedy="Check that its zones offer the GPUs of the pools",
            rule="zones-unknown",
            severity=Severity.WARN,
        )


def _zone_ways(settings: StackSettings, path: str, zone: str) -> Iterable[WayOut]:
    """Another zone of the region, that with the same letter first; or the zone's own region."""
    known = regions().get(settings.region)
    others = [
        other for other in (known.zones if known else ()) if other not in settings.cluster.zones
    ]
    for other in sorted(others, key=lambda other: other[-1] != zone[-1]):
        yield use(path, other, f"use {other}", group="zone")
    region = zone.rpartition("-")[0]
    if region in regions() and region != settings.region:
        yield use("gcp:region", region, f"set gcp:region: {region}")


def _cpu_pool_problems(settings: StackSettings) -> Iterable[Problem]:
    pool = settings.cluster.cpu_pool
    path = "ray-llm:cluster.cpuPool.machineType"
    machine = machine_type(pool.machine_type)
    if machine is None:
        near = nearest_of(pool.machine_type, _without_gpus())
        yield Problem(
            path=path,
            value=pool.machine_type,
            reason=why_no_machine_type(pool.machine_type),
            remedy=f"{nearest(pool.machine_type, _without_gpus())}e2-standard-8 is the default",
            rule="machine-type",
            candidates=(
                *(() if near is None else (meant(path, near),)),
                leave_out(path, "leave it out (e2-standard-8)"),
            ),
        )
        return
    room = allocatable(machine)
    if room.cpu_for_pods < HEAD.cpu or room.memory_gib_for_pods < HEAD.memory_gib:
        yield Problem(
            path=path,
            value=pool.machine_type,
            reason=f"leaves {room.cpu_for_pods:.1f} CPUs and {room.memory_gib_for_pods:.1f} GiB "
            f"for pods, and the Ray head needs {HEAD.cpu} and {HEAD.memory_gib}",
            remedy="Use a larger machine",
            rule="pod-allocatable",
            candidates=(use(path, "e2-standard-8", "use e2-standard-8 or larger"),),
        )


def _without_gpus() -> tuple[str, ...]:
    return tuple(id_ for id_, machine in machine_types().items() if not machine.has_gpus)
