"""The replicas of models' engines in Ray Serve's answer, and the pods in which they run."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from diagnosis.snapshot import Object, listed, moment, name, status
from manifests import CAUSE_ELSEWHERE, MODEL_DEPLOYMENT, applications_by_model, failure_messages

# Ray's description of a replica's process in a traceback.
_ACTOR: Final = re.compile(r"actor_id=(?P<actor>[0-9a-f]+)")


@dataclass(frozen=True, kw_only=True)
class Replica:
    """One replica of a model's engine. log: its file below Ray's folder of logs; empty if none."""

    model: str
    id: str
    state: str
    node: str
    node_ip: str
    instance: str
    actor: str
    log: str
    started: datetime | None

    @property
    def has_node(self) -> bool:
        """Whether it runs, or loads on a node that it has."""
        return self.state == "RUNNING" or (self.state == "STARTING" and bool(self.node))


def applications(details: Object | None) -> Mapping[str, Mapping[str, Any]]:
    """The applications by the names of their models; empty if Ray Serve did not answer."""
    try:
        return applications_by_model(details or {})
    except (KeyError, TypeError, AttributeError):
        return {}


def model_deployment(application: Mapping[str, Any]) -> Mapping[str, Any]:
    """The deployment of a model's engine; empty if the application has none."""
    deployments = application.get("deployments") or {}
    for key, deployment in deployments.items() if isinstance(deployments, Mapping) else ():
        if str(key).startswith(MODEL_DEPLOYMENT) and isinstance(deployment, Mapping):
            return deployment
    return {}


def engine_replicas(details: Object | None) -> Iterator[Replica]:
    """The replicas of all models' engines."""
    for model, application in applications(details).items():
        yield from replicas_of(model, application)


def replicas_of(model: str, application: Mapping[str, Any]) -> Iterator[Replica]:
    """The replicas of one model's engine."""
    for found in listed(model_deployment(application).get("replicas")):
        yield Replica(
            model=model,
            id=str(found.get("replica_id") or ""),
            state=str(found.get("state") or ""),
            node=str(found.get("node_id") or ""),
            node_ip=str(found.get("node_ip") or ""),
            instance=str(found.get("node_instance_id") or ""),
            actor=str(found.get("actor_id") or ""),
            log=str(found.get("log_file_path") or "").lstrip("/"),
            started=moment(found.get("start_time_s")),
        )


def pod_of(replica: Replica, pods: tuple[Object, ...]) -> Object | None:
    """The pod in which a replica runs: KubeRay names the Ray node after it, or it has its IP."""
    for pod in pods:
        if replica.instance and name(pod) == replica.instance:
            return pod
    for pod in pods:
        if replica.node_ip and status(pod).get("podIP") == replica.node_ip:
            return pod
    return None


def names_cause_elsewhere(details: Object | None) -> Iterator[str]:
    """The actors of replicas that failed for a reason which only their log has."""
    for application in applications(details).values():
        for message in failure_messages(application):
            if CAUSE_ELSEWHERE in message and (found := _ACTOR.findall(message)):
                yield found[-1]  # the process that failed


def actor_in(message: str) -> str:
    """The actor that a message of Ray Serve is about; empty if it names none."""
    found = _ACTOR.findall(message)
    return found[-1] if found else ""
