"""The Job that fills the bucket of weights: it runs, or it has failed, and why.

The texts are those of our program (manifests/weights/script), of Python, and of Hugging Face's
client.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from diagnosis.case import Case, is_leaving, job_of
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.rules.surroundings import NAMES
from diagnosis.snapshot import Object, condition, created, labels, listed, moment, name, status
from manifests import COMPONENT_LABEL, WEIGHTS_FILLER, weights_manifests
from planning import BucketPlan, ModelPlan

_ENDS: Final = ("Complete", "Failed")
_REVISION: Final = re.compile(r"has no revision (?P<revision>\S+)")


class _Kind(NamedTuple):
    """One kind of failure. mend: of the case and the Job's own sentence."""

    text: re.Pattern[str]
    what: str
    mend: Callable[[Case, str], Mend]


def _kind(text: str, what: str, mend: Callable[[Case, str], Mend]) -> _Kind:
    return _Kind(re.compile(text, re.IGNORECASE), what, mend)


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
    if failed.get("reason") == "DeadlineExceeded":
        kind = _LATE
    else:
        kind = next((kind for kind in _KINDS if kind.text.search(words)), _ANY)
    mend = kind.mend(case, words)
    if not mend.command:
        mend = Mend(path=mend.path, text=mend.text, command=_logs(case, job))
    return Finding(
        rule="weights-not-filled",
        subject=subject,
        what=f"it has failed: {kind.what}; the last `up` has left the service as it was",
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


def _model(case: Case, words: str) -> ModelPlan | None:
    """The model whose repository the sentence is about."""
    source = words.partition(": ")[0]
    return next((model for model in case.plan.models if model.source == source), None)


def _path(case: Case, words: str, key: str) -> str:
    model = _model(case, words)
    return f"{model.path}.{key}" if model else "ray-llm:models"


def _again(case: Case) -> str:
    return f"pulumi up --stack {case.plan.stack}"


def _token(case: Case, words: str) -> Mend:
    model = _model(case, words)
    page = f" at https://huggingface.co/{model.source}" if model else ""
    return Mend(
        path="ray-llm:huggingFaceToken",
        text=f"Accept the terms{page} with the token's account, or set a token that may read it; "
        "then run `pulumi up` again.",
        command="pulumi config set --secret ray-llm:huggingFaceToken",
    )


def _revision(case: Case, words: str) -> Mend:
    found = _REVISION.search(words)
    return Mend(
        path=_path(case, words, "engine.revision"),
        text=f"Correct the revision{f' {found["revision"]}' if found else ''}: the repository has "
        "no such branch, tag or commit.",
        command=_again(case),
    )


def _repository(case: Case, words: str) -> Mend:
    return Mend(
        path=_path(case, words, "source"),
        text="Correct the repository, or set a token that may read it, if it is private.",
        command=_again(case),
    )


def _disk(case: Case, words: str) -> Mend:  # noqa: ARG001 - as all others
    return Mend(
        path="ray-llm:cluster.cpuPool",
        text="Free the disk of the CPU pool's nodes, or give them a larger one: one file at a time "
        "lies there on its way into the bucket.",
        command=_again(case),
    )


def _rights(case: Case, words: str) -> Mend:  # noqa: ARG001 - as all others
    bucket, account, role = _filler(case)
    return Mend(
        path="ray-llm:weights",
        text=f"Give {account} {role} on gs://{bucket.name}, as `pulumi up` does; a role that is "
        "minutes old may not work yet.",
        command=f"gcloud storage buckets get-iam-policy gs://{bucket.name}",
    )


def _filler(case: Case) -> tuple[BucketPlan, str, str]:
    """The bucket, and who fills it by which role."""
    manifests = weights_manifests(case.plan)
    assert manifests is not None, "the rule asks only about a stack with a bucket"
    [account] = [
        account for account in manifests.google_accounts if account.email.startswith(WEIGHTS_FILLER)
    ]
    return manifests.bucket, account.email, account.role


def _egress(case: Case, words: str) -> Mend:  # noqa: ARG001 - as all others
    return Mend(
        path="ray-llm:cluster.privateNodes",
        text="Let pods of the CPU pool reach huggingface.co (Cloud NAT for private nodes, network "
        "policies, a proxy), or fill the bucket elsewhere; then run `pulumi up` again, which goes "
        "on where it was.",
        command=_again(case),
    )


def _goes_on(case: Case, words: str) -> Mend:  # noqa: ARG001 - as all others
    return Mend(
        path="ray-llm:weights",
        text="Run `pulumi up` again: the next Job goes on with the files that are not there yet.",
        command=_again(case),
    )


def _look(case: Case, words: str) -> Mend:  # noqa: ARG001 - as all others
    return Mend(
        path="ray-llm:weights",
        text="Read its log; `pulumi up` starts it again, and it goes on where it was.",
    )


_KINDS: Final = (
    _kind(r": is gated", "a repository is gated, and the token may not read it", _token),
    _kind(r": has no revision ", "a repository has no such revision", _revision),
    _kind(
        r": there is no such repository|is gone from the hub",
        "a repository or a file of it is not there",
        _repository,
    ),
    _kind(r"No space left on device", "a node's disk is full", _disk),
    _kind(
        r"PermissionError|Permission denied|Read-only file system|Input/output error",
        "it may not write to the bucket",
        _rights,
    ),
    _kind(
        rf"{NAMES.pattern}|Connect\w*Error|\w*Timeout|timed out|Connection (refused|reset)"
        r"|OfflineMode|Max retries exceeded|LocalEntryNotFoundError",
        "it does not reach the hub",
        _egress,
    ),
)
_LATE: Final = _Kind(re.compile(""), "it took longer than it may", _goes_on)
_ANY: Final = _Kind(re.compile(""), "its program ended with an error", _look)
