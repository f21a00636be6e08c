"""How people reach a service: endpoints, shell commands from outside.

Ray Serve has no authentication and its Services are reachable inside the cluster only, so the
commands go through `kubectl port-forward` and the caller's own rights in the cluster.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manifests.smoke_test.script.questions import FORMS
from models.tasks import Task
from planning import Plan

_ANSWER_TOKENS = 32


@dataclass(frozen=True, kw_only=True)
class ServiceAccess:
    """How to reach a service.

    endpoints: the OpenAI base URL of each served name: inside the cluster, or at the gateway.
    port_forward: the shell command that brings the service to the same port of this machine.
    first_curl: a request to a model, in the form of its task, to run while `port_forward` runs.
    dashboard: the command that brings Ray's dashboard to http://127.0.0.1:8265. The dashboard has
        no authentication and must not be exposed in any other way.
    """

    endpoints: Mapping[str, str]
    port_forward: str
    first_curl: str
    dashboard: str


def service_access(plan: Plan) -> ServiceAccess:
    """The endpoints and commands of a plan's service."""
    service = plan.service
    return ServiceAccess(
        endpoints={model.name: plan.endpoint(model) for model in plan.models},
        port_forward=port_forward(service.namespace, service.serve_service, service.port),
        first_curl=_first_curl(plan),
        dashboard=port_forward(service.namespace, service.head_service, service.dashboard_port),
    )


def _first_curl(plan: Plan) -> str:
    # A model that keeps a replica, if there is one: a model at zero has to wait for its node. And
    # one that generates, if there is one: its answer says more to people than numbers.
    model = min(plan.models, key=lambda model: (model.replicas.min == 0, model.task.pools))
    path, question = _question(model.task)
    url = f"http://127.0.0.1:{plan.service.port}{model.route}/v1/{path}"
    data = shlex.quote(json.dumps({"model": model.name, **question}))
    return f"curl {url} --header 'Content-Type: application/json' --data {data}"


def _question(task: Task) -> tuple[str, Mapping[str, Any]]:
    """The path and the body of the smoke test's question, with a longer answer for people."""
    path, body, _ = FORMS[task.value][0]
    if task.pools:
        return path, body
    return path, {"messages": body["messages"], "max_tokens": _ANSWER_TOKENS}


def port_forward(namespace: str, service: str, port: int, local_port: int | None = None) -> str:
    """The command with which a Service answers on this machine; local_port: by default its own."""
    return (
        f"kubectl --namespace {namespace} port-forward service/{service} "
        f"{local_port or port}:{port}"
    )
