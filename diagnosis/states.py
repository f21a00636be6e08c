"""The models of a stack as they are now: one row for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diagnosis.case import Case, awaits_node
from diagnosis.finding import one_line
from diagnosis.replicas import Replica, pod_of, replicas_of
from diagnosis.rules.engines import failure_of, since_of
from diagnosis.snapshot import Part, Snapshot
from planning import ModelPlan, Plan

ASLEEP = "asleep"
UNKNOWN = "unknown"
NOT_DEPLOYED = "not deployed"


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """One model.

    state: Ray Serve's word in lower case, or `asleep` (it runs and has no replica), `starting` (the
        first replica loads), `waits for a node`, `not deployed`, `unknown`.
    running: replicas that run; starting: that do not yet; least, most: the stack's range.
    nodes: where they run. age_seconds: of the oldest replica; None without any.
    error: the last one; empty if there is none.
    """

    model: str
    state: str
    running: int = 0
    starting: int = 0
    least: int
    most: int
    pool: str
    nodes: tuple[str, ...] = ()
    age_seconds: float | None = None
    error: str = ""


def model_states(snapshot: Snapshot, plan: Plan) -> tuple[ModelState, ...]:
    """The models in the order of the stack file."""
    case = Case(snapshot, plan)
    return tuple(_state(case, model) for model in plan.models)


def _state(case: Case, model: ModelPlan) -> ModelState:
    application = case.serve.get(model.name) or case.upcoming.get(model.name)
    same: dict[str, Any] = {
        "model": model.name,
        "least": model.replicas.min,
        "most": model.replicas.max,
        "pool": model.pool,
    }
    if application is None:
        seen = case.snapshot.serve is not None and case.snapshot.saw(Part.SERVE)
        return ModelState(**same, state=NOT_DEPLOYED if seen else UNKNOWN)
    # One that stops takes no new request, and holds back no sleep.
    replicas = [
        replica for replica in replicas_of(model.name, application) if replica.state != "STOPPING"
    ]
    running = [replica for replica in replicas if replica.state == "RUNNING"]
    ages = [case.age(replica.started) for replica in running if replica.started]
    return ModelState(
        **same,
        state=_word(case, model, application, replicas),
        running=len(running),
        starting=len(replicas) - len(running),
        nodes=tuple(dict.fromkeys(_node(case, replica) for replica in running)),
        age_seconds=max(ages, default=None),
        error=one_line(failure_of(case, application)),
    )


def _word(
    case: Case, model: ModelPlan, application: Mapping[str, Any], replicas: list[Replica]
) -> str:
    status = str(application.get("status") or UNKNOWN)
    if status == "RUNNING" and not replicas:
        return ASLEEP
    waits = any(awaits_node(pod) for pod in case.pods_of_group(model.pool))
    runs = any(replica.state == "RUNNING" for replica in replicas)
    placed = any(replica.has_node for replica in replicas)
    # Ray Serve says RUNNING of a model without a replica too, while requests wait for the first.
    if waits and (status == "DEPLOYING" or (status in {"RUNNING", "UNHEALTHY"} and not placed)):
        return "waits for a node"
    if status == "RUNNING" and not runs:
        return "starting"
    age = case.age(since_of(application))
    word = status.lower().replace("_", " ")
    return f"{word} ({age / 60:.0f} min)" if status == "DEPLOYING" and age >= 60 else word


def _node(case: Case, replica: Replica) -> str:
    pod = pod_of(replica, case.snapshot.pods)
    node = str(((pod or {}).get("spec") or {}).get("nodeName") or "")
    return node or replica.instance or replica.node_ip or "?"
