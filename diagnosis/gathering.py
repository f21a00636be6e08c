"""Asks a cluster for everything that the rules read, at once and for a few seconds at most.

What cannot be read is noted and the rest goes on: a person who may read less learns less.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as OverTimeError
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from diagnosis.cluster_api import (
    ANSWER_SECONDS,
    NAME_ONLY,
    NAMES_ONLY,
    Answer,
    ClusterApi,
    NotReadError,
)
from diagnosis.engine_metrics import engine_load
from diagnosis.replicas import Replica, engine_replicas, names_cause_elsewhere, pod_of
from diagnosis.snapshot import (
    EngineLoad,
    Object,
    Part,
    Snapshot,
    Unseen,
    listed,
    name,
    pending_cluster,
)
from diagnosis.unreachable import UnreachableError
from manifests import APPLICATIONS
from planning import Plan

BUDGET_SECONDS: Final = 4.0
"""After so long a question that is still open is given up."""
SIGN_IN_SECONDS: Final = 20.0
LOG_LINES: Final = 400
_AT_MOST: Final = {"limit": "500"}
_MOST_LOGS: Final = 12
_METRICS_PORT: Final = 8080
_DEFINITIONS: Final = ("rayservices.ray.io", "rayclusters.ray.io")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a service is."""

    namespace: str
    service: str
    dashboard_port: int = 8265

    @classmethod
    def of(cls, plan: Plan) -> "Target":
        """The service of a plan."""
        service = plan.service
        return cls(
            namespace=service.namespace,
            service=service.name,
            dashboard_port=service.dashboard_port,
        )

    def dashboard(self, cluster: str, path: str) -> str:
        """A path of Ray's dashboard; cluster: the name of the service or of a Ray cluster."""
        head = f"http:{cluster}-head-svc:{self.dashboard_port}"
        return f"/api/v1/namespaces/{self.namespace}/services/{head}/proxy{path}"

    def of_kind(self, api: str, plural: str) -> str:
        """The path of a list of the namespace."""
        return f"{api}/namespaces/{quote(self.namespace)}/{plural}"


@dataclass
class _Gathering:
    api: ClusterApi
    target: Target
    ends: float
    unseen: list[Unseen] = field(default_factory=list)

    def left(self) -> float:
        return min(ANSWER_SECONDS, max(0.1, self.ends - time.monotonic()))

    def got(self, part: Part, future: "Future[Any]", absent: Any) -> Any:
        """The answer to a question; what is not there is `absent`, and so is what is not read."""
        try:
            return future.result(timeout=max(0.1, self.ends + 1 - time.monotonic()))
        except NotReadError as error:
            if error.code != 404:
                self.unseen.append(Unseen(part=part, why=str(error)))
        except OverTimeError:
            self.unseen.append(Unseen(part=part, why="it does not answer in time"))
        return absent


def gather(api: ClusterApi, target: Target) -> Snapshot:
    """Asks everything. Raises UnreachableError if the cluster does not answer at all."""
    pool = ThreadPoolExecutor(max_workers=24, thread_name_prefix="ask")
    try:
        return _gather(api, target, pool)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def signed_in(api: ClusterApi, pool: ThreadPoolExecutor) -> Answer:
    """The first question, alone: its sign-in serves all others. Raises UnreachableError."""
    try:
        return pool.submit(api.read, "/version").result(timeout=SIGN_IN_SECONDS)
    except (NotReadError, OverTimeError) as error:
        why = str(error) or "it does not answer in time"
        raise UnreachableError(
            f"The cluster of context {api.context} cannot be asked ({why}). Check that `kubectl "
            f"--context {api.context} version` answers."
        ) from None


def _gather(api: ClusterApi, target: Target, pool: ThreadPoolExecutor) -> Snapshot:
    version = signed_in(api, pool)
    taken_at = datetime.now(UTC)
    gathering = _Gathering(api, target, time.monotonic() + BUDGET_SECONDS)

    def ask(path: str, params: Mapping[str, str] | None = None, accept: str = "") -> "Future[Any]":
        more = {"accept": accept} if accept else {}
        return pool.submit(lambda: api.read(path, params, seconds=gathering.left(), **more).content)

    def lists(part: Part, path: str, accept: str = "") -> "tuple[Part, Future[Any]]":
        return part, ask(path, _AT_MOST, accept)

    core, ray = "/api/v1", "/apis/ray.io/v1"
    service = ask(f"{target.of_kind(ray, 'rayservices')}/{quote(target.service)}")
    serve = ask(target.dashboard(target.service, APPLICATIONS))
    autoscaler = ask(target.dashboard(target.service, "/api/cluster_status"))
    many = [
        lists(Part.RAY_CLUSTERS, target.of_kind(ray, "rayclusters")),
        lists(Part.PODS, target.of_kind(core, "pods")),
        lists(Part.EVENTS, target.of_kind(core, "events")),
        lists(Part.JOBS, target.of_kind("/apis/batch/v1", "jobs")),
        lists(Part.CONFIG_MAPS, target.of_kind(core, "configmaps")),
        lists(Part.SECRETS, target.of_kind(core, "secrets"), NAMES_ONLY),
        lists(Part.POLICIES, target.of_kind("/apis/networking.k8s.io/v1", "networkpolicies")),
        lists(Part.NODES, f"{core}/nodes"),
        lists(Part.DEPLOYMENTS, "/apis/apps/v1/deployments"),
    ]
    root = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    definitions = [ask(f"{root}/{item}", accept=NAME_ONLY) for item in _DEFINITIONS]

    ray_service = gathering.got(Part.RAY_SERVICE, service, None)
    if ray_service is not None and not _is_object(ray_service):
        gathering.unseen.append(Unseen(part=Part.RAY_SERVICE, why="the answer is no object"))
        ray_service = None
    upcoming = pending_cluster(ray_service)
    starting = ask(target.dashboard(upcoming, APPLICATIONS)) if upcoming else None
    found = {part: tuple(_items(gathering.got(part, future, {}))) for part, future in many}
    details = gathering.got(Part.SERVE, serve, None)
    details_upcoming = gathering.got(Part.UPCOMING, starting, None) if starting else None
    pods = found[Part.PODS]
    logs = _logs(gathering, pool, (details, target.service), (details_upcoming, upcoming))
    loads = _loads(gathering, pool, details, pods)
    return Snapshot(
        taken_at=taken_at,
        server_time=version.server_time,
        ray_service=ray_service,
        ray_clusters=found[Part.RAY_CLUSTERS],
        pods=pods,
        events=found[Part.EVENTS],
        nodes=found[Part.NODES],
        jobs=found[Part.JOBS],
        config_maps=found[Part.CONFIG_MAPS],
        secrets=frozenset(name(item) for item in found[Part.SECRETS]),
        policies=found[Part.POLICIES],
        deployments=found[Part.DEPLOYMENTS],
        definitions=tuple(
            item
            for future in definitions
            if (item := gathering.got(Part.DEFINITIONS, future, None)) and _is_object(item)
        ),
        serve=details,
        upcoming=details_upcoming,
        autoscaler=gathering.got(Part.AUTOSCALER, autoscaler, None),
        logs=logs,
        loads=loads,
        unseen=_once(gathering.unseen),
    )


def _items(content: Object) -> Iterator[Object]:
    return (item for item in listed(content.get("items")) if _is_object(item))


def _is_object(item: Object) -> bool:
    """Whether this is an object as every API server sends it; rules need not doubt that."""
    metadata = item.get("metadata")
    return isinstance(metadata, dict) and isinstance(metadata.get("labels") or {}, dict)


def _once(unseen: list[Unseen]) -> tuple[Unseen, ...]:
    return tuple({item.part: item for item in unseen}.values())


def _logs(
    gathering: _Gathering, pool: ThreadPoolExecutor, *views: tuple[Object | None, str]
) -> dict[str, str]:
    """The logs of engines whose failure Ray Serve does not explain, by the actor's id."""
    asked: dict[str, Future[Any]] = {}
    for details, cluster in views:
        for actor in names_cause_elsewhere(details):
            if len(asked) < _MOST_LOGS:
                asked[actor] = pool.submit(_engine_log, gathering, cluster, actor)
    found = {actor: gathering.got(Part.LOGS, future, "") for actor, future in asked.items()}
    return {actor: text for actor, text in found.items() if text}


def _engine_log(gathering: _Gathering, cluster: str, actor: str) -> str:
    texts = []
    for suffix in ("out", "err"):
        params = {"actor_id": actor, "suffix": suffix, "lines": str(LOG_LINES)}
        path = gathering.target.dashboard(cluster, "/api/v0/logs/file")
        texts.append(gathering.api.text(path, params, seconds=gathering.left()))
    return "\n".join(texts)


def _loads(
    gathering: _Gathering,
    pool: ThreadPoolExecutor,
    details: Object | None,
    pods: tuple[Object, ...],
) -> dict[str, tuple[EngineLoad, ...]]:
    """What engines say of their queues, by model; nothing of those that do not answer."""

    def ask(pod: str) -> "Callable[[], str]":
        path = gathering.target.of_kind("/api/v1", f"pods/{quote(pod)}:{_METRICS_PORT}")
        return lambda: gathering.api.text(f"{path}/proxy/metrics", seconds=gathering.left())

    by_pod: dict[str, list[Replica]] = {}
    for replica in engine_replicas(details):
        own = pod_of(replica, pods)
        if own is not None and replica.state == "RUNNING":
            by_pod.setdefault(name(own), []).append(replica)
    asked = {pod: pool.submit(ask(pod)) for pod in by_pod}
    found: dict[str, tuple[EngineLoad, ...]] = {}
    for pod, future in asked.items():
        text = gathering.got(Part.METRICS, future, "")
        for model in {replica.model for replica in by_pod[pod]}:
            if load := engine_load(text, model):
                found[model] = (*found.get(model, ()), load)
    return found
