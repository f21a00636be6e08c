"""How people reach a service: endpoints inside the cluster, shell commands from outside.

Ray Serve has no authentication and its Services are reachable inside the cluster only, so the
commands go through `kubectl port-forward` and the caller's own rights in the cluster.
"""

import json
import shlex

from planning import Plan


def endpoints(plan: Plan) -> dict[str, str]:
    """The OpenAI base URL of each served name, inside the cluster."""
    return {model.name: plan.service.endpoint(model) for model in plan.models}


def port_forward_command(plan: Plan) -> str:
    """Brings the service to this machine's port."""
    service = plan.service
    return _port_forward(service.namespace, service.serve_service, service.port)


def dashboard_command(plan: Plan) -> str:
    """Brings Ray's dashboard to http://127.0.0.1:8265; it must never be exposed otherwise."""
    service = plan.service
    return _port_forward(service.namespace, service.head_service, service.dashboard_port)


def first_curl_command(plan: Plan) -> str:
    """A chat request to the first model, to run while the port-forward runs.

    Prefers a model that keeps a replica: one at zero answers after its node has come.
    """
    model = next((model for model in plan.models if model.replicas.min > 0), plan.models[0])
    body = {
        "model": model.name,
        "messages": [{"role": "user", "content": "Say hello."}],
        "max_tokens": 32,
    }
    url = f"http://127.0.0.1:{plan.service.port}{model.route}/v1/chat/completions"
    data = shlex.quote(json.dumps(body))
    return f"curl {url} --header 'Content-Type: application/json' --data {data}"


def _port_forward(namespace: str, service: str, port: int) -> str:
    return f"kubectl --namespace {namespace} port-forward service/{service} {port}:{port}"
