"""Models that Ray Serve does not have, that start for too long, or whose replicas come and go."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from diagnosis.case import Case, is_ready
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.replicas import model_deployment
from diagnosis.rules.engines import failure_of, message_of, since_of
from diagnosis.shown_values import opened
from diagnosis.snapshot import (
    Object,
    Part,
    condition,
    first_seen,
    last_seen,
    listed,
    moment,
    name,
)
from planning import ModelPlan, cold_start

# A start whose upper end nobody knows.
_LONGEST_START_SECONDS: Final = 3600
_FLAPS: Final = 3
_FLAPPING_SECONDS: Final = 1800.0
_SERVE_GRACE_SECONDS: Final = 300.0
# How KubeRay says why it took a worker away, if not because the autoscaler asked for it.
_ENDED: Final = "; Pod status:"


def applications(case: Case) -> Iterator[Finding]:
    """Models that Ray Serve does not have, that start for too long, or that come and go."""
    if not case.snapshot.saw(Part.SERVE) or case.snapshot.serve is None:
        yield from _silent(case)
        return
    for model in case.plan.models:
        application = case.serve.get(model.name)
        upcoming = case.upcoming.get(model.name)
        if application is None and upcoming is None:
            yield _missing(case, model)
        for shown in (application, upcoming):
            if shown is not None and not failure_of(case, shown):
                yield from _starts(case, model, shown)
        if application is not None:
            yield from _flaps(case, model, application)


def _missing(case: Case, model: ModelPlan) -> Finding:
    """A model that Ray Serve does not have: not deployed, or not handed over to it yet."""
    service = case.snapshot.ray_service or {}
    config = opened((service.get("spec") or {}).get("serveConfigV2")) or {}
    is_written = model.route in (config.get("applications") or {})
    known = ", ".join(sorted(case.serve)) or "no application"
    if is_written and case.is_being_written:
        return Finding(
            rule="model-starts",
            subject=f"model {model.name}",
            what="it was written this minute, and KubeRay hands it over to Ray Serve",
            why=f"Ray Serve has {known}",
            gravity=Gravity.NOTE,
            mend=Mend(path=model.path, text="Wait."),
        )
    there = "the RayService has it, and KubeRay has not handed it over; " if is_written else ""
    return Finding(
        rule="model-missing",
        subject=f"model {model.name}",
        what="it is not deployed",
        why=f"{there}Ray Serve has {known}",
        mend=Mend(
            path=model.path,
            text="Deploy it, or take it out of the stack file.",
            command=f"pulumi up --stack {case.plan.stack}",
        ),
    )


def _starts(case: Case, model: ModelPlan, application: Mapping[str, Any]) -> Iterator[Finding]:
    if application.get("status") not in {"DEPLOYING", "NOT_STARTED"}:
        return
    since = since_of(application)
    start = cold_start(model, case.plan.pool(model.pool)).anew
    most = start.most or _LONGEST_START_SECONDS
    late = case.age(since) > most
    message = message_of(application)
    yield Finding(
        rule="application-stuck" if late else "model-starts",
        subject=f"model {model.name}",
        what=(
            f"it starts for {case.age(since) / 60:.0f} min, and {most / 60:.0f} min are usual"
            if late
            else f"it starts; that takes {start.least / 60:.0f} to {most / 60:.0f} min"
        ),
        since=since,
        why=message if message != "DEPLOYING" else "Ray Serve says DEPLOYING and nothing else",
        gravity=Gravity.WRONG if late else Gravity.NOTE,
        mend=Mend(
            path=model.path,
            text="See what its replica and its pod say." if late else "Wait.",
            command=f"ray-llm logs {model.name} --stack {case.plan.stack}" if late else "",
        ),
    )


def _flaps(case: Case, model: ModelPlan, application: Mapping[str, Any]) -> Iterator[Finding]:
    """Replicas that end again and again, by Ray Serve's list of them."""
    deployment = model_deployment(application)
    ended = [
        moment(replica.get("start_time_s"))
        for replica in listed(deployment.get("recent_dead_replicas"))
    ]
    recent = [start for start in ended if start and case.age(start) < _FLAPPING_SECONDS]
    if len(recent) >= _FLAPS and not failure_of(case, application):
        yield _flapping(f"model {model.name}", model.path, len(recent), min(recent), model.name)


def workers(case: Case) -> Iterator[Finding]:
    """Worker pods that end: KubeRay writes an event for each that it takes away because of that."""
    lost: dict[str, list[Object]] = {}
    for event in case.snapshot.events:
        message = str(event.get("message") or "")
        if event.get("reason") != "DeletedWorkerPod" or _ENDED not in message:
            continue
        if case.age(last_seen(event)) < _FLAPPING_SECONDS:
            for pool in case.plan.pools:
                if f"-{pool.id}-worker-" in message.partition(_ENDED)[0]:
                    lost.setdefault(pool.id, []).extend([event] * int(event.get("count") or 1))
    for pool_id, events in lost.items():
        pool = case.plan.pool(pool_id)
        if len(events) >= _FLAPS:
            names = ", ".join(model.name for model in case.models_of(pool))
            since = min(first_seen(event) for event in events)
            newest = max(events, key=last_seen)
            yield _flapping(
                f"pool {pool_id} ({names})",
                pool.path,
                len(events),
                since,
                "",
                str(newest.get("message")),
            )


def _flapping(
    subject: str, path: str, count: int, since: datetime, model: str, why: str = ""
) -> Finding:
    return Finding(
        rule="replica-flaps",
        subject=subject,
        what=f"{count} replicas or workers have ended within half an hour, and others took over",
        since=since,
        why=why or "each was replaced; its last lines say why it ended",
        mend=Mend(
            path=path,
            text="Look for out of memory, a lost spot node, or an engine that dies under load.",
            command=f"ray-llm logs {model or 'MODEL'} --errors --since 1h",
        ),
    )


def _silent(case: Case) -> Iterator[Finding]:
    """Ray Serve's API does not answer, though the head's pod is ready."""
    head = case.head()
    unseen = next((item for item in case.snapshot.unseen if item.part is Part.SERVE), None)
    refused = unseen is not None and ("no right" in unseen.why or "who you are" in unseen.why)
    if head is None or not is_ready(head) or refused or case.snapshot.ray_service is None:
        return
    since = moment(condition(head, "Ready").get("lastTransitionTime"))
    if case.age(since) < _SERVE_GRACE_SECONDS:
        return
    yield Finding(
        rule="serve-silent",
        subject="Ray Serve",
        what="its API does not answer, though the head's pod is ready",
        since=since,
        why=unseen.why if unseen else "the head's Service is not there",
        mend=Mend(
            text="Look at the head's log, and whether a network policy closes port "
            f"{case.plan.service.dashboard_port}.",
            command=f"kubectl --namespace {case.plan.service.namespace} logs {name(head)} "
            "--container ray-head --tail 100",
        ),
    )
