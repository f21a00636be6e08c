"""The stand-in engine answers and refuses as the real one was seen to.

Only what the engines themselves say: the rest comes from Ray Serve, which is real with both.
"""

import json
import os
import subprocess
import sys
from typing import Any, Final

import pytest

from localcloud.cluster.ray_environments import DEFINITIONS, STANDINS
from localcloud.served_project import served_project
from models.catalog.releases import ray_releases
from tests.real_engine.answers import HERE, merged, recorded, requests, shape
from tests.real_engine.stacks import RAY

# The context of the model whose answers were recorded.
ENGINE: Final = {"max_model_len": 8192}
ENGINE_PATHS: Final = ("chat/completions", "completions")


def engine_message(real: dict[str, Any]) -> str | None:
    """What vLLM said in an error that Ray Serve wrapped; None if Ray Serve itself refused."""
    error = real["body"].get("error") or {}
    if error.get("type") != "OpenAIHTTPException":
        return None
    text: str = error["message"].removeprefix("Message: ").partition(" (Request ID: ")[0]
    return text


def of_the_engine() -> list[dict[str, Any]]:
    """The requests that reach the engine."""
    real = recorded("answers")
    return [
        each
        for each in requests()
        if each["path"] in ENGINE_PATHS
        and (real[each["name"]]["status"] == 200 or engine_message(real[each["name"]]))
    ]


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    """What the stand-in answers, by the requests' names."""
    asked = of_the_engine()
    path = os.pathsep.join(map(str, (DEFINITIONS / RAY / "standins", STANDINS)))
    arguments = served_project().vllm_arguments(ray_releases()[RAY].vllm)
    done = subprocess.run(
        [sys.executable, HERE / "stand_in_program.py"],
        input=json.dumps({"engine": ENGINE, "requests": asked}),
        env={"PYTHONPATH": path, "VLLM_ARGUMENTS": str(arguments)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = [each["name"] for each in asked]
    return dict(zip(names, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", [each["name"] for each in of_the_engine()])
def test_it_answers_as_the_real_engine(answers: dict[str, dict[str, Any]], name: str) -> None:
    """Errors word by word; good answers with the same keys and types, since it says other words."""
    found, real = answers[name], recorded("answers")[name]
    assert found["status"] == real["status"]
    if real["status"] != 200:
        assert found["message"] == engine_message(real)
    elif "events" in real:
        events = [event.removeprefix("data: ").strip() for event in found["events"]]
        assert events[-1] == "[DONE]"
        chunks = merged([json.loads(event) for event in events[:-1]])
        assert [shape(chunk) for chunk in chunks] == [shape(each) for each in real["events"][:-1]]
    else:
        assert shape(found["body"]) == shape(real["body"])


def test_the_recorded_requests_reach_the_engine() -> None:
    assert len(of_the_engine()) >= 15
