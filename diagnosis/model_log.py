"""All that is written about one model: by its replicas, its engines, their pods and events."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from diagnosis.case import Case
from diagnosis.cluster_api import ClusterApi, NotReadError
from diagnosis.gathering import Target, gather
from diagnosis.log_lines import Log, LogLine, dated, in_order
from diagnosis.replicas import Replica, actor_in, pod_of, replicas_of
from diagnosis.rules.engines import since_of
from diagnosis.snapshot import Object, Part, Snapshot, created, last_seen, name
from manifests import failure_messages
from planning import ModelPlan, Plan

LINES: Final = 2000
_SECONDS: Final = 5.0
_NEEDED: Final = frozenset({Part.RAY_SERVICE, Part.SERVE, Part.UPCOMING, Part.PODS, Part.EVENTS})
_CONTAINER: Final = "ray-worker"
# Ray has a log of a process for what it prints and one for its errors.
_SUFFIXES: Final = ("out", "err")


@dataclass(frozen=True, kw_only=True)
class ModelLog:
    """The lines, in the order of time, and what could not be read, each a sentence."""

    lines: tuple[LogLine, ...]
    unread: tuple[str, ...]


@dataclass(frozen=True)
class _Question:
    """One log to ask for."""

    source: str
    of: str
    path: str
    params: Mapping[str, str]
    started: datetime | None = None


def model_log(
    api: ClusterApi, plan: Plan, model: ModelPlan, since: timedelta | None = None
) -> ModelLog:
    """What the sources say of a model now. Raises UnreachableError."""
    target = Target.of(plan)
    snapshot = gather(api, target)
    case = Case(snapshot, plan)
    pods, questions = _questions(case, target, model, since)
    pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="log")
    ends = time.monotonic() + _SECONDS
    asked = [(item, pool.submit(_ask, api, item)) for item in questions]
    logs, unread = (
        [],
        dict.fromkeys(
            f"{item.part}: {item.why}" for item in snapshot.unseen if item.part in _NEEDED
        ),
    )
    for item, future in asked:
        text, why = _text(future, ends)
        if why:
            unread[f"{item.source} {item.of}: {why}"] = None
        is_whole = text.count("\n") < LINES - 1
        log = Log(
            source=item.source, of=item.of, text=text, started=item.started, is_whole=is_whole
        )
        logs.append(list(dated(log, snapshot.now)))
    pool.shutdown(wait=False, cancel_futures=True)
    logs += [list(_events(snapshot, pods)), list(_messages(case, model))]
    first = snapshot.now - since if since else None
    lines = (line for line in in_order(logs) if first is None or line.at >= first)
    return ModelLog(lines=tuple(_without_repeats(lines)), unread=tuple(unread))


def _questions(
    case: Case, target: Target, model: ModelPlan, since: timedelta | None
) -> tuple[dict[str, Object], list[_Question]]:
    """The pods of a model, and the logs to ask for."""
    pods: dict[str, Object] = {}
    questions = []
    for applications, cluster in (
        (case.serve, case.plan.service.name),
        (case.upcoming, case.pending),
    ):
        application = applications.get(model.name)
        if application is None:
            continue
        actors = {}
        for replica in replicas_of(model.name, application):
            if own := pod_of(replica, case.snapshot.pods):
                pods[name(own)] = own
            actors[replica.actor] = replica.started
            questions += list(_of_replica(target, cluster, replica))
        for message in failure_messages(application):
            if actor := actor_in(message):
                actors.setdefault(actor, None)
        for actor, started in actors.items():
            questions += list(_of_actor(target, cluster, actor, started))
    if not pods:
        # No replica runs: the pods of its pool say what they wait for.
        pods = {name(pod): pod for pod in case.pods_of_group(model.pool)}
    for pod in pods:
        params = {"container": _CONTAINER, "timestamps": "true", "tailLines": str(LINES)}
        if since:
            params["sinceSeconds"] = str(max(1, int(since.total_seconds())))
        path = target.of_kind("/api/v1", f"pods/{quote(pod)}/log")
        questions.append(_Question("pod", pod, path, params))
    return pods, questions


def _of_replica(target: Target, cluster: str, replica: Replica) -> Iterator[_Question]:
    if replica.log and replica.node:
        params = {"node_id": replica.node, "filename": replica.log, "lines": str(LINES)}
        path = target.dashboard(cluster, "/api/v0/logs/file")
        yield _Question("replica", replica.id, path, params, replica.started)


def _of_actor(
    target: Target, cluster: str, actor: str, started: datetime | None
) -> Iterator[_Question]:
    if actor:
        for suffix in _SUFFIXES:
            params = {"actor_id": actor, "suffix": suffix, "lines": str(LINES)}
            path = target.dashboard(cluster, "/api/v0/logs/file")
            yield _Question("engine", actor[:8], path, params, started)


def _ask(api: ClusterApi, question: _Question) -> str:
    return api.text(question.path, question.params, seconds=_SECONDS)


def _text(future: "Future[Any]", ends: float) -> tuple[str, str]:
    """The text of a log, and why there is none."""
    try:
        return str(future.result(timeout=max(0.1, ends + 1 - time.monotonic()))), ""
    except NotReadError as error:
        return "", str(error)
    except TimeoutError:
        return "", "it does not answer in time"


def _messages(case: Case, model: ModelPlan) -> Iterator[LogLine]:
    """What Ray Serve says of a model that does not run, dated by the deployment it is about."""
    for application in (case.serve.get(model.name), case.upcoming.get(model.name)):
        if application is None or application.get("status") == "RUNNING":
            continue
        for message in failure_messages(application):
            if message.strip():
                yield from dated(
                    Log(
                        source="serve",
                        of=model.name,
                        text=message,
                        started=since_of(application),
                    ),
                    case.snapshot.now,
                )


def _events(snapshot: Snapshot, pods: Mapping[str, Object]) -> Iterator[LogLine]:
    for pod in pods:
        for event in reversed(snapshot.events_of("Pod", pod)):
            yield LogLine(
                at=last_seen(event),
                source="event",
                of=pod,
                text=f"{event.get('reason')}: {event.get('message')}",
                is_error=event.get("type") == "Warning",
            )
        if made := created(pods[pod]):
            yield LogLine(at=made, source="event", of=pod, text="the pod was created")


def _without_repeats(lines: Iterator[LogLine]) -> Iterator[LogLine]:
    """Ray writes a process's errors to its file and to the replica's: once is enough."""
    said: set[tuple[str, str, str]] = set()
    for line in lines:
        key = (line.at.isoformat(timespec="seconds"), line.source, line.text)
        if key not in said:
            said.add(key)
            yield line
