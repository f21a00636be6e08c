"""A stack whose models a real vLLM runs: everything from the plan to the answer is as on GKE."""

import json
from typing import Any

import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster.deployed import ClusterDeployment
from tests.cluster.running import Cluster
from tests.real_engine.answers import answer
from tests.real_engine.stacks import ASLEEP, AWAKE

pytestmark = pytest.mark.real_engine

# What the tiny model is built to say (localcloud/cluster/real_engine/tiny_model.py).
ANSWER = "Hello from a tiny model."
CALL = {"name": "get_weather", "arguments": {"city": "Paris"}}
WEATHER = {
    "messages": [{"role": "user", "content": "What is the weather?"}],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
            },
        }
    ],
}
# A node, imports and an engine on a busy machine.
WAKE_SECONDS = 400


def test_the_smoke_test_and_a_chat_request_are_answered(
    deployment: ClusterDeployment, cluster: Cluster
) -> None:
    """`up` waits for the smoke test, so its Job has succeeded."""
    jobs = cluster.items("/apis/batch/v1/namespaces/ai/jobs")
    assert [job["status"].get("succeeded") for job in jobs] == [1]
    assert cluster.chat(AWAKE["name"], AWAKE["name"], "Who are you?") == (200, ANSWER)


def test_another_preview_changes_nothing(deployment: ClusterDeployment) -> None:
    deployment.settled()


def test_a_stream_is_answered(deployment: ClusterDeployment, cluster: Cluster) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
    request = {"path": "chat/completions", "body": body}
    first, text, last, done = answer(cluster, AWAKE["name"], request)["events"]
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert text["choices"][0]["delta"]["content"] == ANSWER
    assert (last["choices"][0]["finish_reason"], done) == ("stop", "[DONE]")


def test_a_completion_is_answered(deployment: ClusterDeployment, cluster: Cluster) -> None:
    request = {"path": "completions", "body": {"prompt": "Once upon a time", "max_tokens": 50}}
    found = answer(cluster, AWAKE["name"], request)
    assert (found["status"], found["body"]["choices"][0]["text"]) == (200, ANSWER)


def test_a_json_schema_is_obeyed(deployment: ClusterDeployment, cluster: Cluster) -> None:
    """By the grammar: the model would say something else."""
    schema = {"type": "object", "properties": {"up": {"enum": [True]}}, "required": ["up"]}
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": "Are you up?"}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "up", "schema": {**schema, "additionalProperties": False}},
        },
    }
    found = answer(cluster, AWAKE["name"], {"path": "chat/completions", "body": body})
    assert found["status"] == 200, found
    assert json.loads(found["body"]["choices"][0]["message"]["content"]) == {"up": True}


def test_a_model_wakes_from_zero_and_calls_a_tool(
    deployment: ClusterDeployment, cluster: Cluster, figures: Figures
) -> None:
    name = ASLEEP["name"]
    body = {"model": name, **WEATHER}

    def answers() -> dict[str, Any] | None:
        status, text = cluster.http(f"/{name}/v1/chat/completions", body, timeout=WAKE_SECONDS)
        return json.loads(text) if status == 200 else None

    with figures.timed("real engine: first answer of a model at zero"):
        found = eventually(answers, "the model answers", seconds=WAKE_SECONDS)
    [choice] = found["choices"]
    [call] = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == CALL["name"]
    assert json.loads(call["function"]["arguments"]) == CALL["arguments"]
