"""What the APIs of a cluster answered at one moment, as plain values. Rules read nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Object = Mapping[str, Any]
"""A Kubernetes object, or an answer of Ray, as it came."""


class Part(StrEnum):
    """What is asked for; the value names it for people."""

    RAY_SERVICE = "the RayService"
    RAY_CLUSTERS = "Ray clusters"
    PODS = "pods"
    EVENTS = "events"
    NODES = "nodes"
    JOBS = "Jobs"
    CONFIG_MAPS = "ConfigMaps"
    SECRETS = "names of Secrets"
    POLICIES = "network policies"
    DEPLOYMENTS = "Deployments of all namespaces"
    DEFINITIONS = "custom resource definitions"
    SERVE = "Ray Serve"
    UPCOMING = "Ray Serve of the Ray cluster that starts"
    AUTOSCALER = "Ray's autoscaler"
    LOGS = "logs of engines"
    METRICS = "metrics of engines"


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """A part that could not be read. why: on one line, without secrets."""

    part: Part
    why: str


@dataclass(frozen=True, kw_only=True)
class EngineLoad:
    """What vLLM's metrics say of one engine. cache: the used share of the KV cache, 0 to 1."""

    waiting: float = 0.0
    running: float = 0.0
    cache: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A service and what is around it.

    taken_at: by this machine's clock; server_time: by the API server's; None if it did not say.
    ray_service: None if it is not there, or could not be read; `saw` tells.
    serve: Ray Serve's answer about its applications; upcoming: that of a second Ray cluster.
    autoscaler: what Ray's autoscaler last reported.
    secrets: names of the Secrets of the namespace.
    logs: the end of an engine's log by the id of its actor.
    loads: by served name, one for each engine that answered.
    unseen: what could not be read.
    """

    taken_at: datetime
    server_time: datetime | None = None
    ray_service: Object | None = None
    ray_clusters: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    events: tuple[Object, ...] = ()
    nodes: tuple[Object, ...] = ()
    jobs: tuple[Object, ...] = ()
    config_maps: tuple[Object, ...] = ()
    secrets: frozenset[str] = frozenset()
    policies: tuple[Object, ...] = ()
    deployments: tuple[Object, ...] = ()
    definitions: tuple[Object, ...] = ()
    serve: Object | None = None
    upcoming: Object | None = None
    autoscaler: Object | None = None
    logs: Mapping[str, str] = field(default_factory=dict)
    loads: Mapping[str, tuple[EngineLoad, ...]] = field(default_factory=dict)
    unseen: tuple[Unseen, ...] = ()

    def saw(self, part: Part) -> bool:
        """Whether a part could be read, so that what is not in it is not there."""
        return all(item.part is not part for item in self.unseen)

    @property
    def now(self) -> datetime:
        """The cluster's time, if it is known: everything in the cluster is dated by it."""
        return self.server_time or self.taken_at

    def events_of(self, kind: str, name: str) -> tuple[Object, ...]:
        """The events about one object, the newest first."""
        about = [
            event
            for event in self.events
            if subject(event).get("kind") == kind and subject(event).get("name") == name
        ]
        return tuple(sorted(about, key=lambda event: last_seen(event), reverse=True))


def moment(text: Any) -> datetime | None:
    """A time as Kubernetes writes it, `2026-11-29T11:02:10Z`, or Ray in seconds; None if none."""
    try:
        if isinstance(text, int | float) and not isinstance(text, bool):
            return datetime.fromtimestamp(text, UTC)
        found = datetime.fromisoformat(str(text))
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def last_seen(event: Object) -> datetime:
    """When an event was last seen."""
    times = (
        _mapping(event.get("series")).get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        metadata(event).get("creationTimestamp"),
    )
    return next((found for time in times if time and (found := moment(time))), _LONG_AGO)


def first_seen(event: Object) -> datetime:
    """When an event was first seen."""
    times = (
        event.get("firstTimestamp"),
        event.get("eventTime"),
        metadata(event).get("creationTimestamp"),
    )
    return next((found for time in times if time and (found := moment(time))), _LONG_AGO)


def metadata(item: Object) -> Mapping[str, Any]:
    """The metadata of an object."""
    return _mapping(item.get("metadata"))


def subject(event: Object) -> Mapping[str, Any]:
    """What an event is about: its kind and its name."""
    return _mapping(event.get("involvedObject"))


def labels(item: Object) -> Mapping[str, str]:
    """The labels of an object."""
    return metadata(item).get("labels") or {}


def name(item: Object) -> str:
    """The name of an object."""
    return str(metadata(item).get("name") or "")


def created(item: Object) -> datetime | None:
    """When an object was made."""
    return moment(metadata(item).get("creationTimestamp"))


def status(item: Object | None) -> Mapping[str, Any]:
    """The status of an object; empty if it has none."""
    return _mapping((item or {}).get("status"))


def cluster_named(ray_service: Object | None, part: str) -> str:
    """The Ray cluster that a part of a RayService's status names; empty if it names none."""
    return str(_mapping(status(ray_service).get(part)).get("rayClusterName") or "")


def pending_cluster(ray_service: Object | None) -> str:
    """The Ray cluster that KubeRay is starting beside another; empty if there is none."""
    return cluster_named(ray_service, "pendingServiceStatus")


def condition(item: Object | None, kind: str) -> Mapping[str, Any]:
    """A condition of an object; empty if it has none of that type."""
    for found in status(item).get("conditions") or ():
        if isinstance(found, Mapping) and found.get("type") == kind:
            return found
    return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    """A part of an object; empty if it is of another form."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> Iterator[Mapping[str, Any]]:
    """The mappings in a list; nothing if it is none."""
    for item in value if isinstance(value, list | tuple) else ():
        if isinstance(item, Mapping):
            yield item
