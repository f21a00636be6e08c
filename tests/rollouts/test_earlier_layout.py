"""A RayService that revision 4879f8d of this program wrote, edited by today's.

Its applications are named after their models, and ranges of replicas are in `args`.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests import service_manifests
from models.reading import read_stack
from planning import make_plan
from rollouts import Effect, Kind, next_wave, predict

EARLIER = Path(__file__).with_name("earlier_layout.json")
MODEL = "qwen2.5-0.5b-instruct"
STACK: dict[str, Any] = {
    "gcp:project": "acme-ml",
    "gcp:region": "us-central1",
    "ray-llm:cluster": {"name": "llm", "zones": ["us-central1-a"]},
    "ray-llm:versions": {"ray": "2.49.1"},
    "ray-llm:gpuPools": ["t4", "l4"],
    "ray-llm:huggingFaceToken": None,
    "ray-llm:models": [
        {"model": MODEL, "gpu": "t4", "contextLength": 4096, "replicas": {"min": 1, "max": 2}}
    ],
}


def earlier() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(EARLIER.read_text(encoding="utf-8"))
    return found


def today(**changes: Any) -> dict[str, Any]:
    values = {**STACK, **{f"ray-llm:{key}": value for key, value in changes.items()}}
    stack = read_stack("x", values, frozenset({"ray-llm:huggingFaceToken"}), Path())
    return dict(service_manifests(make_plan(stack)).ray_service)


@pytest.mark.parametrize("kuberay", ["1.4.2", "1.6.2", None])
def test_the_same_stack_starts_each_model_beside_its_earlier_form(kuberay: str | None) -> None:
    """No second cluster: what KubeRay hashes is as it was."""
    found = predict(earlier(), today(), kuberay, {"t4": 4, "l4": 4})
    known = found.if_known or found
    assert known.kind is Kind.SERVE
    [model] = known.models
    assert (model.name, model.effect, model.beside) == (MODEL, Effect.EDITED, True)


def test_the_hand_over_starts_where_the_prediction_says_so() -> None:
    live, wanted = (
        yaml.safe_load(service["spec"]["serveConfigV2"]) for service in (earlier(), today())
    )
    wave = next_wave(live, wanted, {MODEL: 1}, {"t4": 4, "l4": 4})
    assert wave is not None
    assert list(wave.models.values()) == [MODEL]
    assert list(wave.replicas.values()) == [1]


def test_another_release_is_a_second_cluster_from_there_too() -> None:
    found = predict(earlier(), today(versions={"ray": "2.60.0"}), "1.6.2")
    assert found.kind is Kind.SECOND_CLUSTER
