"""What ran in a period by the Kubernetes API alone, which remembers only what is still there.

A node that is there says since when. One that is gone left events, which the API server keeps for
an hour; of those before, nothing is known, so that the hours are the least that there were. The
same is true of replicas: Ray Serve says since when each one that runs does.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from diagnosis.replicas import engine_replicas
from diagnosis.snapshot import (
    Object,
    Part,
    Snapshot,
    Unseen,
    created,
    first_seen,
    labels,
    last_seen,
    name,
    subject,
)
from diagnosis.usage import Period, Usage
from manifests import GKE_NODE_POOL_LABEL
from planning import Plan

# `--event-ttl` of the API server, which GKE leaves at its default.
EVENTS_KEPT: Final = timedelta(hours=1)
_MOST_OBJECTS: Final = 500


def usage_by_kubernetes(
    snapshot: Snapshot, node_events: Iterable[Object], plan: Plan, period: Period
) -> Usage:
    """What nodes and replicas say. node_events: those about nodes, of the namespace `default`."""
    node_events = tuple(node_events)
    saw_nodes = snapshot.saw(Part.NODES)
    pools = [node_pool for pool in plan.pools for node_pool in pool.node_pools]
    if plan.cluster.cpu_pool.name:
        pools.append(plan.cluster.cpu_pool.name)
    hours: dict[str, float] = dict.fromkeys(pools, 0.0) if saw_nodes else {}
    there = {name(node) for node in snapshot.nodes}
    for node in snapshot.nodes:
        pool = labels(node).get(GKE_NODE_POOL_LABEL)
        since = created(node)
        if pool in hours and since is not None:
            hours[pool] += period.overlap_hours(since, snapshot.now)
    gone = _gone(node_events, there)
    for node_name, (start, end) in gone.items():
        pool = _pool_in(node_name, pools)
        if pool in hours:
            hours[pool] += period.overlap_hours(start, end)
    return Usage(
        period=period,
        source="the Kubernetes API",
        node_hours=_by_pool(hours, plan),
        gpu_hours=_gpu_hours(snapshot, plan, period),
        is_whole=False,
        gaps=tuple(_gaps(snapshot, period, len(gone))),
        hours_of_ways={
            pool.id: {way.node_pool: hours[way.node_pool] for way in pool.ways}
            for pool in plan.pools
            if pool.ways and hours
        },
    )


def _by_pool(hours: Mapping[str, float], plan: Plan) -> Mapping[str, float]:
    """The hours of node pools, those of one pool's ways to pay together."""
    if not hours:
        return {}
    of_pools = {
        pool.id: sum(hours[node_pool] for node_pool in pool.node_pools) for pool in plan.pools
    }
    cpu_pool = plan.cluster.cpu_pool.name
    return {**of_pools, **({cpu_pool: hours[cpu_pool]} if cpu_pool else {})}


def _gone(
    events: Iterable[Object], there: Iterable[str]
) -> Mapping[str, tuple[datetime, datetime]]:
    """Nodes that only events know of, with the first and the last of them."""
    found: dict[str, tuple[datetime, datetime]] = {}
    for event in events:
        about = subject(event)
        node = str(about.get("name") or "")
        if about.get("kind") != "Node" or not node or node in there:
            continue
        first, last = first_seen(event), last_seen(event)
        if node in found:
            first, last = min(first, found[node][0]), max(last, found[node][1])
        found[node] = (first, last)
    return found


def _pool_in(node: str, pools: Iterable[str]) -> str | None:
    """The pool that GKE put into a node's name, `gke-CLUSTER-POOL-8f3c2a1b-x7qk`."""
    fitting = [pool for pool in pools if f"-{pool}-" in node]
    return max(fitting, key=len, default=None)


def _gpu_hours(snapshot: Snapshot, plan: Plan, period: Period) -> Mapping[str, float]:
    if snapshot.serve is None:
        return {}
    gpus = {model.name: model.gpus_per_replica for model in plan.models}
    hours = dict.fromkeys(gpus, 0.0)
    for replica in engine_replicas(snapshot.serve):
        if replica.model in hours and replica.state == "RUNNING" and replica.started:
            worked = period.overlap_hours(replica.started, snapshot.now)
            hours[replica.model] += worked * gpus[replica.model]
    return hours


def _gaps(snapshot: Snapshot, period: Period, gone: int) -> Iterator[str]:
    for part in (Part.NODES, Part.SERVE):
        found: Unseen | None = next((item for item in snapshot.unseen if item.part is part), None)
        if found is not None:
            yield f"{part}: {found.why}."
    if snapshot.serve is None and snapshot.saw(Part.SERVE):
        yield "Ray Serve did not answer, so that nothing is known of replicas."
    if len(snapshot.nodes) >= _MOST_OBJECTS:
        yield f"Only {_MOST_OBJECTS} nodes were read."
    remembered = snapshot.now - EVENTS_KEPT
    if period.start < remembered:
        yield (
            f"Nodes and replicas that went before {remembered:%Y-%m-%d %H:%M} UTC are not known: "
            "Kubernetes forgets them, so that the hours are the least that there were. "
            "--prometheus URL knows the whole period."
        )
    if gone:
        yield (
            f"{gone} {'nodes that are' if gone > 1 else 'node that is'} gone counted from the "
            "first event to the last."
        )
