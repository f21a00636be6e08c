"""Why the Job that fills the bucket of weights has failed, and what mends it.

The texts are those of our program (manifests/weights/script), of Python, and of Hugging Face's
client.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from diagnosis.case import Case
from diagnosis.finding import Mend
from diagnosis.rules.surroundings import NAMES
from manifests import WEIGHTS_FILLER, weights_manifests
from planning import BucketPlan, ModelPlan


@dataclass(frozen=True, kw_only=True)
class Cause:
    """The cause of a failure. what: in words, a clause."""

    what: str
    mend: Mend


class _Kind(NamedTuple):
    """One kind of failure. mend: of the case and the Job's own sentence."""

    text: re.Pattern[str]
    what: str
    mend: Callable[[Case, str], Mend]


def _kind(text: str, what: str, mend: Callable[[Case, str], Mend]) -> _Kind:
    return _Kind(re.compile(text, re.IGNORECASE), what, mend)


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
    return Mend(
        path=_path(case, words, "engine.revision"),
        text="Correct the revision: the repository has no such branch, tag or commit.",
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


def cause_of(case: Case, words: str, *, is_late: bool) -> Cause:
    """The cause of a failed Job, by its own last words; is_late: whether it ran out of time."""
    kind = _LATE if is_late else next((kind for kind in _KINDS if kind.text.search(words)), _ANY)
    return Cause(what=kind.what, mend=kind.mend(case, words))


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
