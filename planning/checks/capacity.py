"""What `capacity` means for the models on a pool and for the cluster around it."""

from collections.abc import Iterable
from typing import Final

from models.capacity import Buying
from models.catalog import regions
from models.problems import Problem, Severity
from models.ways_out import add, leave_out, together, use
from planning.checks.contexts import PlacedContext, StackContext

# Head and routers survive the loss of a zone if there is another one; more cost nothing.
_ZONES_ENOUGH: Final = 3


def flex_start_problems(context: PlacedContext) -> Iterable[Problem]:
    """A stop for a lone replica whose node is certain to go, and nothing says what comes instead.

    A warning if there may be more replicas, and one is kept. A node of spot may stay for weeks; one
    of flex-start ends at a known time, and the next one comes when Google has one:
    https://cloud.google.com/kubernetes-engine/docs/concepts/dws
    """
    ways, replicas = context.pool.ways, context.model.replicas
    if not ways or any(way.buying is not Buying.FLEX_START for way in ways):
        return
    alone = replicas.max == 1
    if not alone and replicas.min != 1:
        return
    hours = (ways[0].run_seconds or 0) / 3600
    path, pool = f"{context.model.path}.replicas", context.pool.path
    yield Problem(
        path=path,
        value="max 1" if alone else "min 1",
        reason=f"{'puts the only' if alone else 'keeps one'} replica on {context.pool.id}, whose "
        f"nodes all end after {hours:.3g} h, and nothing says how the next one is paid for: the "
        "model is down until Google has another flex-start node",
        remedy="List another way to pay, or use more replicas",
        rule="flex-start-single-replica",
        severity=Severity.STOP if alone else Severity.WARN,
        candidates=(
            *(
                add(f"{pool}.capacity", word, f"add {word} to capacity of {pool}")
                for word in (Buying.ON_DEMAND.value, Buying.SPOT.value)
                if word in context.pool.tier.provisioning
            ),
            together(
                f"use replicas: {{min: 2, max: {max(2, replicas.max)}}}",
                use(f"{path}.min", 2),
                use(f"{path}.max", max(2, replicas.max)),
            ),
        ),
    )


def reservation_problems(context: StackContext) -> Iterable[Problem]:
    """A warning if two pools name one reservation, of which each counts the nodes as its own."""
    seen: dict[tuple[str | None, tuple[str, ...]], str] = {}
    for way in (way for pool in context.pools for way in pool.ways if way.reservation):
        key = (way.reservation, way.zones)
        first = seen.setdefault(key, way.path)
        if first != way.path:
            nodes = f"{way.reserved_nodes} " if way.reserved_nodes else ""
            yield Problem(
                path=way.path,
                value=way.reservation,
                reason=f"is the reservation of {first}, too, and each pool counts its {nodes}nodes "
                "as its own: in the cost, in the quota and for what fits",
                remedy="Write in both how many nodes are for this pool (nodes), and accept this, "
                "or keep it in one",
                rule="reservation-shared",
                candidates=(leave_out(way.path, "leave it out here"),),
            )


def cpu_pool_zone_problems(context: StackContext) -> Iterable[Problem]:
    """A warning if the zone of a scarce GPU ties the Ray head and the routers as well.

    A pool has zones of its own: only these must offer the GPU.
    """
    settings = context.settings
    pools = [pool for pool in context.pools if pool.ways]
    region = regions().get(settings.region)
    if not pools or settings.cluster.existing or region is None or len(settings.cluster.zones) > 1:
        return
    if settings.cluster.location not in (None, settings.region):
        return  # a zonal cluster has no other
    (zone,) = settings.cluster.zones
    more = [zone, *(other for other in region.zones if other != zone)][:_ZONES_ENOUGH]
    yield Problem(
        path="ray-llm:cluster.zones",
        value=zone,
        reason=f"is the only zone of the cluster, so the Ray head and the routers go with it; "
        f"{pools[0].id} may stay there alone, by zones of its own",
        remedy="Give the cluster further zones",
        rule="cpu-pool-zone",
        candidates=(
            together(
                f"use cluster.zones: [{', '.join(more)}]",
                use("ray-llm:cluster.zones", more),
                *(
                    use(f"{pool.path}.zones", list(pool.zones))
                    for pool in context.pools
                    if pool.path.startswith("ray-llm:")
                    and "zones" not in _stated(context, pool.path)
                ),
            ),
        ),
    )


def _stated(context: StackContext, path: str) -> frozenset[str]:
    """The keys that the stack file gives a pool."""
    for pool in context.settings.gpu_pools:
        if pool.path == path:
            return frozenset(pool.model_fields_set)
    return frozenset()
