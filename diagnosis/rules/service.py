"""The RayService: missing, refused, half deleted, or said to be ready though it is not."""

import re
from collections.abc import Iterator
from typing import Final

from diagnosis.case import Case
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.snapshot import (
    Part,
    condition,
    first_seen,
    last_seen,
    metadata,
    moment,
)
from manifests import JOB_ANNOTATION

_DELETION_SECONDS: Final = 60.0
_REFUSAL_SECONDS: Final = 1800.0
_REFUSED: Final = re.compile(r"UpdateDeployments fail: (?P<answer>400.*)", re.DOTALL)


def presence(case: Case) -> Iterator[Finding]:
    """The RayService is not there, is being deleted, or is none of this program's."""
    snapshot = case.snapshot
    found = snapshot.ray_service
    up = f"pulumi up --stack {case.plan.stack}"
    if found is None:
        if snapshot.saw(Part.RAY_SERVICE) and not _without_definitions(case):
            yield Finding(
                rule="service-missing",
                subject=case.service_subject,
                what="it is not in this cluster",
                why="the API server knows no such object",
                mend=Mend(
                    path="ray-llm:cluster",
                    text="Deploy the stack, or name the context of its cluster with --context.",
                    command=up,
                ),
            )
        return
    deleted = moment(metadata(found).get("deletionTimestamp"))
    if deleted and case.age(deleted) > _DELETION_SECONDS:
        finalizers = ", ".join(metadata(found).get("finalizers") or ()) or "none"
        running = sum(1 for _ in case.ray_pods())
        yield Finding(
            rule="service-half-deleted",
            subject=case.service_subject,
            what=f"it is half deleted, and {running} pods of it go on (their GPUs are paid for)",
            since=deleted,
            why=f"it waits for its finalizers ({finalizers}), which KubeRay's operator removes",
            mend=Mend(
                path="ray-llm:kubeRay",
                text="Start the operator; the deletion then ends by itself.",
                command="kubectl get deployments --all-namespaces "
                "--selector app.kubernetes.io/name=kuberay-operator",
            ),
        )
    elif (
        not deleted
        and JOB_ANNOTATION not in (metadata(found).get("annotations") or {})
        and not case.is_being_written
    ):
        yield Finding(
            rule="earlier-layout",
            subject=case.service_subject,
            what="another version of this program, or somebody else, wrote it",
            why=f"it has no annotation {JOB_ANNOTATION}; what is said of it may be incomplete",
            gravity=Gravity.NOTE,
            mend=Mend(
                text="See what an update would change.",
                command=f"pulumi preview --diff --stack {case.plan.stack}",
            ),
        )


def _without_definitions(case: Case) -> bool:
    return case.snapshot.saw(Part.DEFINITIONS) and not case.snapshot.definitions


def refusals(case: Case) -> Iterator[Finding]:
    """KubeRay or Ray Serve refuses what is written."""
    found = case.snapshot.ray_service
    if found is None:
        return
    ready = condition(found, "Ready")
    if ready.get("reason") == "ValidationFailed":
        yield Finding(
            rule="service-refused",
            subject=case.service_subject,
            what="KubeRay refuses it and does nothing with it",
            since=moment(ready.get("lastTransitionTime")),
            why=str(ready.get("message") or "ValidationFailed"),
            mend=Mend(
                text="What this program writes passes: undo what was changed by hand.",
                command=f"pulumi up --refresh --stack {case.plan.stack}",
            ),
        )
    if ready.get("reason") == "InitializingTimeout":
        yield Finding(
            rule="service-timed-out",
            subject=case.service_subject,
            what="it took too long to start, and KubeRay has given it up for good",
            since=moment(ready.get("lastTransitionTime")),
            why=str(ready.get("message") or "InitializingTimeout"),
            mend=Mend(
                text="Take the annotation ray.io/initializing-timeout off, and make it anew.",
                command=f"pulumi up --stack {case.plan.stack} --replace '**RayService**'",
            ),
        )
    events = case.snapshot.events_of("RayService", case.plan.service.name)
    for event in events:
        if event.get("reason") == "UpdatedServeApplications":
            return  # the newest word: it was taken
        refused = _REFUSED.search(str(event.get("message") or ""))
        if refused and case.age(last_seen(event)) < _REFUSAL_SECONDS:
            yield Finding(
                rule="config-refused",
                subject=case.service_subject,
                what="Ray Serve refuses its serve config, and KubeRay tries again for ever",
                since=first_seen(event),
                why=refused["answer"],
                mend=Mend(
                    path="ray-llm:models",
                    text="What this program writes is taken: undo what was changed by hand.",
                    command=f"pulumi up --refresh --stack {case.plan.stack}",
                ),
            )
            return


def readiness(case: Case) -> Iterator[Finding]:
    """KubeRay says Ready though a model does not run: the condition counts endpoints alone."""
    ready = condition(case.snapshot.ray_service, "Ready")
    if ready.get("status") != "True" or case.snapshot.serve is None or case.all_run:
        return
    down = [
        f"{model.name} is {case.serve.get(model.name, {}).get('status') or 'not there'}"
        for model in case.plan.models
        if case.serve.get(model.name, {}).get("status") != "RUNNING"
    ]
    yield Finding(
        rule="stale-ready",
        subject=case.service_subject,
        what="it says Ready, which is not true of every model",
        since=moment(ready.get("lastTransitionTime")),
        why="; ".join(down),
        gravity=Gravity.NOTE,
        mend=Mend(text="Believe what is said of the models, not `kubectl get rayservice`."),
    )
