"""The commands work when they are pasted into a shell, and name objects that exist."""

import json
import shlex
from dataclasses import replace

import pytest

from manifests import service_manifests
from manifests.service_access import ServiceAccess
from models.tasks import Task
from planning import Plan
from tests.manifests.plans import model, plan, replicas


def access(made: Plan) -> ServiceAccess:
    return service_manifests(made).access


def test_every_model_has_an_endpoint_at_its_route() -> None:
    made = plan()
    assert access(made).endpoints == {
        item.name: f"http://llm-serving-serve-svc.ai:8000/{item.name}/v1" for item in made.models
    }


def test_first_curl_is_a_chat_request_that_a_shell_understands() -> None:
    made = plan((model("a"),))
    command, url, header, content_type, data, body = shlex.split(access(made).first_curl)
    assert (command, header, data) == ("curl", "--header", "--data")
    assert url == "http://127.0.0.1:8000/a/v1/chat/completions"
    assert content_type == "Content-Type: application/json"
    assert json.loads(body)["model"] == "a"


def test_first_curl_prefers_a_model_that_is_awake() -> None:
    sleeping, waking = model("sleeping", replicas=replicas(0)), model("waking")
    assert "/waking/" in access(plan((sleeping, waking))).first_curl
    none_awake = replace(waking, replicas=replicas(0))
    assert "/sleeping/" in access(plan((sleeping, none_awake))).first_curl


@pytest.mark.parametrize(
    ("task", "path", "field"),
    [(Task.EMBED, "embeddings", "input"), (Task.SCORE, "score", "text_1")],
)
def test_first_curl_asks_a_model_that_pools_for_its_task(task: Task, path: str, field: str) -> None:
    pooling = model("pooling", task=task)
    *_, body = shlex.split(access(plan((pooling,))).first_curl)
    assert f"/pooling/v1/{path} " in access(plan((pooling,))).first_curl
    assert json.loads(body).keys() >= {"model", field}
    assert "/chat/v1/chat/completions" in access(plan((pooling, model("chat")))).first_curl
    sleeping = model("chat", replicas=replicas(0))
    assert f"/pooling/v1/{path} " in access(plan((sleeping, pooling))).first_curl


def test_port_forwards_go_to_kuberays_services() -> None:
    made = access(plan())
    assert made.port_forward == (
        "kubectl --namespace ai port-forward service/llm-serving-serve-svc 8000:8000"
    )
    assert made.dashboard == (
        "kubectl --namespace ai port-forward service/llm-serving-head-svc 8265:8265"
    )
