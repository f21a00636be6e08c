"""The Ray cluster: its head, its autoscaler, and a second cluster that cannot start."""

from collections.abc import Iterator
from typing import Final

from diagnosis.case import GROUP_LABEL, Case, awaits_node, is_ready
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.rules.containers import AUTOSCALER
from diagnosis.snapshot import Object, condition, created, labels, listed, moment, name, status

# KubeRay makes the first head within seconds of its cluster; one that is so much later is another.
_REPLACED_SECONDS: Final = 60.0
_RECENT_SECONDS: Final = 86_400.0
_HEAD_START_SECONDS: Final = 900.0
_RECOVERY_SECONDS: Final = 1800.0
_OFTEN: Final = 3


def head(case: Case) -> Iterator[Finding]:
    """The head is down, or was replaced: with it go all actors, and so all models start anew."""
    clusters = {name(item): item for item in case.snapshot.ray_clusters}
    cluster = clusters.get(case.active)
    found = case.head()
    namespace = case.plan.service.namespace
    if cluster is None:
        return
    began = created(cluster)
    if found is not None and (restarted := _restarted(case, cluster, found)):
        yield restarted
    elif found is None or not is_ready(found):
        if case.age(began) < _HEAD_START_SECONDS:
            return
        since = moment(condition(found, "Ready").get("lastTransitionTime")) if found else None
        yield Finding(
            rule="head-down",
            subject="the Ray head",
            what="its pod is not ready" if found else "it has no pod",
            since=since,
            why=_why_not_ready(found),
            mend=Mend(
                path="ray-llm:cluster.cpuPool",
                text="KubeRay makes another one; see what keeps it.",
                command=f"kubectl --namespace {namespace} describe pods --selector "
                f"ray.io/cluster={case.active},ray.io/node-type=head",
            ),
        )


def _restarted(case: Case, cluster: Object, found: Object) -> Finding | None:
    """A head that is not the first one of its cluster, or whose container has restarted."""
    began, made = created(cluster), created(found)
    restarts = sum(
        int(item.get("restartCount") or 0)
        for item in listed(status(found).get("containerStatuses"))
        if item.get("name") == "ray-head"
    )
    later = (made - began).total_seconds() if made and began else 0.0
    if not restarts and not (later > _REPLACED_SECONDS and case.age(made) < _RECENT_SECONDS):
        return None
    # A new head has no application until KubeRay has sent it the serve config.
    recovers = any(model.name not in case.serve for model in case.plan.models) or any(
        item.get("status") == "DEPLOYING" for item in case.serve.values()
    )
    is_over = is_ready(found) and (
        case.all_run or not recovers or case.age(made) > _RECOVERY_SECONDS
    )
    if not is_ready(found):
        then = ": it is not ready yet, and the models start anew after it"
    else:
        then = "" if is_over else ": the models start anew"
    return Finding(
        rule="head-restarted",
        subject="the Ray head",
        what=f"it was replaced, and lost all actors with it{then}",
        since=made,
        why=f"pod {name(found)} is {later / 60:.0f} min younger than its Ray cluster"
        if not restarts
        else f"its container has restarted {restarts} times",
        gravity=Gravity.NOTE if is_over else Gravity.WRONG,
        mend=Mend(
            path="ray-llm:cluster.cpuPool",
            text="Look at what ended it (memory, a node upgrade); the models come back by "
            "themselves.",
            command=f"kubectl --namespace {case.plan.service.namespace} get events "
            "--field-selector involvedObject.kind=Pod --sort-by .lastTimestamp",
        ),
    )


def _why_not_ready(pod: object) -> str:
    if not isinstance(pod, dict):
        return "the API server lists none"
    for item in listed(status(pod).get("containerStatuses")):
        for state in (item.get("state") or {}).values():
            if isinstance(state, dict) and (state.get("reason") or state.get("message")):
                return f"{item.get('name')}: {state.get('reason')} {state.get('message') or ''}"
    ready = condition(pod, "Ready")
    return str(ready.get("message") or ready.get("reason") or "its probes fail")


def autoscaler(case: Case) -> Iterator[Finding]:
    """Ray's autoscaler does not run: nothing scales up, and no lost worker comes back."""
    found = case.head()
    if found is None:
        return
    if not any(
        item.get("name") == AUTOSCALER for item in (found.get("spec") or {}).get("containers", ())
    ):
        if is_ready(found):
            yield _autoscaler(case, name(found), "the head's pod has no container `autoscaler`")
        return
    for item in listed(status(found).get("containerStatuses")):
        if item.get("name") != AUTOSCALER:
            continue
        state = item.get("state") or {}
        restarts = int(item.get("restartCount") or 0)
        last = (item.get("lastState") or {}).get("terminated") or {}
        stopped = state.get("waiting") or state.get("terminated")
        if (stopped and is_started(found)) or restarts >= _OFTEN:
            words = stopped or last
            why = f"{words.get('reason') or 'it ends'}: {words.get('message') or ''}"
            yield _autoscaler(case, name(found), f"{why} ({restarts} restarts)")
            return
    error = (_data(case).get("autoscalingError") or "") if case.snapshot.autoscaler else ""
    if error:
        yield _autoscaler(case, name(found), str(error))


def is_started(pod: object) -> bool:
    """Whether the head's own container runs."""
    assert isinstance(pod, dict)
    return any(
        "running" in (item.get("state") or {})
        for item in listed(status(pod).get("containerStatuses"))
        if item.get("name") == "ray-head"
    )


def _data(case: Case) -> dict[str, object]:
    found = (case.snapshot.autoscaler or {}).get("data")
    return found if isinstance(found, dict) else {}


def _autoscaler(case: Case, pod: str, why: str) -> Finding:
    return Finding(
        rule="autoscaler-down",
        subject="Ray's autoscaler",
        what="it does not run, so nothing scales up and no lost worker comes back",
        why=why,
        mend=Mend(
            path="ray-llm:versions",
            text="Read its log; deleting the head's pod starts both anew and stops all models "
            "for as long as they load.",
            command=f"kubectl --namespace {case.plan.service.namespace} logs {pod} "
            "--container autoscaler --tail 50",
        ),
    )


def second_cluster(case: Case) -> Iterator[Finding]:
    """A second Ray cluster waits for GPUs that the first one holds."""
    if not case.pending or not case.active:
        return
    waiting = [pod for pod in case.ray_pods(case.pending) if awaits_node(pod)]
    cluster = next((c for c in case.snapshot.ray_clusters if name(c) == case.pending), None)
    since = created(cluster) if cluster else None
    if not waiting:
        yield Finding(
            rule="second-cluster-starts",
            subject=f"Ray cluster {case.pending}",
            what=f"it starts beside {case.active}, which answers meanwhile",
            since=since,
            why="the last update changed what both cannot share",
            gravity=Gravity.NOTE,
            mend=Mend(text="Wait: KubeRay switches when every model runs there."),
        )
        return
    groups = sorted({str(labels(pod).get(GROUP_LABEL)) for pod in waiting})
    paths = [pool.path for pool in case.plan.pools if pool.id in groups]
    yield Finding(
        rule="second-cluster-waits",
        subject=f"Ray cluster {case.pending}",
        what=f"{len(waiting)} of its pods wait for nodes ({', '.join(groups)}), while "
        f"{case.active} holds its own",
        since=since,
        why=str(condition(waiting[0], "PodScheduled").get("message") or "Unschedulable"),
        mend=Mend(
            path=f"{paths[0]}.maxNodes" if paths else "ray-llm:cluster.cpuPool.maxNodes",
            text="Raise maxNodes for the time of the update, or write `ray-llm:rollout: "
            "{strategy: recreate}`, or bring the former stack file back: `pulumi up` then gives "
            "this cluster up.",
            command=f"pulumi up --stack {case.plan.stack}",
        ),
    )
