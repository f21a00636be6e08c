"""The Job that fills the bucket of weights: it runs, or it has failed."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from diagnosis.case import Case, is_leaving, job_of
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.rules.filling_failures import cause_of
from diagnosis.snapshot import Object, condition, created, labels, listed, moment, name, status
from manifests import COMPONENT_LABEL, WEIGHTS_FILLER

_ENDS: Final = ("Complete", "Failed")


def filling(case: Case) -> Iterator[Finding]:
    """What the newest Job does that fills the bucket, unless it has done it."""
    weights = case.plan.weights
    if weights is None or weights.bucket is None:
        return
    jobs = [
        job
        for job in case.snapshot.jobs
        if labels(job).get(COMPONENT_LABEL) == WEIGHTS_FILLER and not is_leaving(job)
    ]
    job = max(jobs, key=lambda job: created(job) or case.snapshot.now, default=None)
    if job is None:
        return
    subject = f"the Job that fills gs://{weights.bucket.name}"
    if condition(job, "Failed").get("status") == "True":
        yield _failed(case, job, subject)
    elif not any(condition(job, end) for end in _ENDS):
        yield Finding(
            rule="weights-fill",
            subject=subject,
            what="it runs, and `up` changes the service once it is done",
            since=moment(status(job).get("startTime")) or created(job),
            why=_progress(case, job),
            gravity=Gravity.NOTE,
            mend=Mend(
                text="Wait; its log says how far it is.",
                command=_logs(case, job),
            ),
        )


def _failed(case: Case, job: Object, subject: str) -> Finding:
    failed = condition(job, "Failed")
    words, since = _last_words(case, job)
    why = words or str(failed.get("message") or failed.get("reason") or "it failed")
    cause = cause_of(case, words, is_late=failed.get("reason") == "DeadlineExceeded")
    mend = cause.mend if cause.mend.command else replace(cause.mend, command=_logs(case, job))
    return Finding(
        rule="weights-not-filled",
        subject=subject,
        what=f"it has failed: {cause.what}; the last `up` has left the service as it was",
        since=moment(failed.get("lastTransitionTime")) or since,
        why=why,
        mend=mend,
    )


def _pods(case: Case, job: Object) -> list[Object]:
    """The pods of the Job, the newest first."""
    pods = [pod for pod in case.snapshot.pods if job_of(pod) == name(job)]
    return sorted(pods, key=lambda pod: created(pod) or case.snapshot.now, reverse=True)


def _container(pod: Object) -> Mapping[str, Any]:
    """The state of the container with our program; GKE adds one that mounts the bucket."""
    for container in listed(status(pod).get("containerStatuses")):
        if container.get("name") == WEIGHTS_FILLER:
            return container.get("state") or {}
    return {}


def _last_words(case: Case, job: Object) -> tuple[str, datetime | None]:
    """The last line that the Job's program wrote, and when; empty if its pod is gone."""
    for pod in _pods(case, job):
        ended = _container(pod).get("terminated") or {}
        lines = [line for line in str(ended.get("message") or "").splitlines() if line.strip()]
        if lines:
            return lines[-1], moment(ended.get("finishedAt"))
        if ended.get("reason"):
            return f"{ended['reason']}, exit code {ended.get('exitCode')}", None
    return "", None


def _progress(case: Case, job: Object) -> str:
    for pod in _pods(case, job):
        waiting = _container(pod).get("waiting") or {}
        placed = condition(pod, "PodScheduled")
        if placed.get("status") == "False":
            return f"pod {name(pod)} waits for a node: {placed.get('message')}"
        if waiting.get("reason"):
            return f"pod {name(pod)} waits: {waiting['reason']} {waiting.get('message') or ''}"
        return f"pod {name(pod)} is {status(pod).get('phase')}"
    return "it has no pod yet"


def _logs(case: Case, job: Object) -> str:
    return (
        f"kubectl --namespace {case.plan.service.namespace} logs job/{name(job)} "
        f"--container {WEIGHTS_FILLER}"
    )
