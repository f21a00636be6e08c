"""The commands work when they are pasted into a shell, and name what is really there."""

import json
import shlex
from dataclasses import replace

from components.service_access import (
    dashboard_command,
    endpoints,
    first_curl_command,
    port_forward_command,
)
from planning import Plan


def test_every_model_has_an_endpoint_at_its_route(plan: Plan) -> None:
    assert endpoints(plan) == {
        model.name: f"http://llm-serving-serve-svc.ai:8000/{model.name}/v1" for model in plan.models
    }


def test_first_curl_is_a_chat_request_that_a_shell_understands(plan: Plan) -> None:
    command, url, header, content_type, data, body = shlex.split(first_curl_command(plan))
    name = plan.models[0].name
    assert (command, header, data) == ("curl", "--header", "--data")
    assert url == f"http://127.0.0.1:8000/{name}/v1/chat/completions"
    assert content_type == "Content-Type: application/json"
    assert json.loads(body)["model"] == name


def test_first_curl_prefers_a_model_that_is_awake(plan: Plan) -> None:
    asleep, awake = plan.models
    sleeping = replace(asleep, replicas=replace(asleep.replicas, min=0))
    waking = replace(awake, replicas=replace(awake.replicas, min=1))
    first = first_curl_command(replace(plan, models=(sleeping, waking)))
    assert f"/{waking.name}/" in first
    none_awake = replace(waking, replicas=replace(waking.replicas, min=0))
    assert f"/{sleeping.name}/" in first_curl_command(replace(plan, models=(sleeping, none_awake)))


def test_port_forwards_go_to_kuberays_services(plan: Plan) -> None:
    assert port_forward_command(plan) == (
        "kubectl --namespace ai port-forward service/llm-serving-serve-svc 8000:8000"
    )
    assert dashboard_command(plan) == (
        "kubectl --namespace ai port-forward service/llm-serving-head-svc 8265:8265"
    )
