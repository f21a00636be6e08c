"""Paths in the container: Ray's own image has no models."""

from typing import Any

import pytest

from models.problems import Severity
from tests.planning.small_stacks import planned, small, stops

OWN = {"image": "us-docker.pkg.dev/acme/llm/ray-llm:2.49.1-models"}


def source(text: str, **keys: Any) -> dict[str, Any]:
    return {"source": text, "gpu": "l4", "checkFit": False, "contextLength": 4096, **keys}


@pytest.mark.parametrize("path", ["/models/own", "./own", "../own", "~/own", "file:///models/own"])
def test_a_path_stops_with_rays_image_and_is_said_with_an_own_one(path: str) -> None:
    (problem,) = stops([source(path, name="own")], gpuPools=["l4"])
    assert (problem.rule, problem.path) == ("local-path", "ray-llm:models[0].source")
    plan = planned([source(path, name="own")], gpuPools=["l4"], versions=OWN)
    (warning,) = (one for one in plan.warnings if one.rule == "local-path")
    assert warning.severity is Severity.WARN


@pytest.mark.parametrize(
    ("engine", "where"),
    [
        ({"tokenizer": "/models/own"}, "tokenizer"),
        ({"hf_config_path": "/models/own"}, "hf_config_path"),
        (
            {"speculative_config": {"model": "/models/draft", "num_speculative_tokens": 3}},
            "speculative_config.model",
        ),
    ],
)
def test_paths_in_engine_arguments_stop_as_well(engine: dict[str, Any], where: str) -> None:
    problems = stops([{**small(), "engine": engine}], gpuPools=["l4"])
    paths = [problem.path for problem in problems if problem.rule == "local-path"]
    assert paths == [f"ray-llm:models[0].engine.{where}"]


@pytest.mark.parametrize("text", ["acme/own-7b", "gs://acme-models/own-7b", "s3://acme/own-7b"])
def test_repositories_and_buckets_are_no_paths(text: str) -> None:
    plan = planned([source(text)], gpuPools=["l4"])
    assert not any(warning.rule == "local-path" for warning in plan.warnings)
