"""The stand-in engine exports what the real one does, by the catalogue and by what was seen."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import yaml

from localcloud.cluster.ray_environments import DEFINITIONS, STANDINS
from localcloud.served_project import served_project
from models.catalog import MetricSource, exported_name, metrics, ray_releases
from models.catalog.metrics import engine_metrics
from tests.real_engine.answers import HERE
from tests.real_engine.stacks import RAY

# By release of Ray: the stand-in's word for how its vLLM names metrics.
DIALECTS = {"2.49.1": "V0_10_0", "2.60.0": "NEW"}
SMALL_CACHE = {"kv_cache_tokens": 3}
PREEMPTIONS = "num_preemptions_total"


def exported(release: str, faults: dict[str, Any], *prompts: str) -> dict[str, dict[str, Any]]:
    """Type, labels and values of each metric, after these prompts."""
    path = os.pathsep.join(map(str, (DEFINITIONS / release / "standins", STANDINS)))
    arguments = served_project().vllm_arguments(ray_releases()[release].vllm)
    done = subprocess.run(
        [
            sys.executable,
            HERE / "stand_in_metrics_program.py",
            *(DIALECTS[release], json.dumps(faults), *prompts),
        ],
        env={"PYTHONPATH": path, "VLLM_ARGUMENTS": str(arguments)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def types(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: str(metric["type"]) for name, metric in found.items()}


def test_it_exports_exactly_what_the_real_engine_was_seen_to_export() -> None:
    seen = yaml.safe_load((HERE / "metrics.yaml").read_text())
    assert types(exported(RAY, {}, "one two")) == seen


@pytest.mark.parametrize("release", DIALECTS)
def test_all_its_names_and_types_are_those_of_the_catalogue(release: str) -> None:
    found = types(exported(release, SMALL_CACHE, "one two"))
    known = engine_metrics()[ray_releases()[release].vllm]
    assert found == {name: known.get(name) for name in found}


@pytest.mark.parametrize("release", DIALECTS)
def test_it_exports_all_that_dashboards_and_alerts_read(release: str) -> None:
    found = exported(release, SMALL_CACHE, "one two")
    ray = ray_releases()[release]
    for metric in metrics().values():
        if metric.source is MetricSource.VLLM:
            name = exported_name(metric, ray, ray.vllm)
            assert name in found, metric.key
            assert found[name]["type"] == metric.type, name
            assert set(metric.labels) <= set(found[name]["labels"]), name


@pytest.mark.parametrize(("release", "replica"), [("2.49.1", []), ("2.60.0", ["ReplicaId"])])
def test_its_labels_are_those_of_the_release(release: str, replica: list[str]) -> None:
    prefix = "ray_vllm:" if release == "2.49.1" else "ray_vllm_"
    found = exported(release, {}, "one two")
    assert found[f"{prefix}num_requests_running"]["labels"] == [*replica, "engine", "model_name"]
    assert found[f"{prefix}request_success_total"]["labels"] == [
        *replica,
        "engine",
        "finished_reason",
        "model_name",
    ]


def test_it_counts_what_it_serves() -> None:
    found = exported(RAY, {}, "one two")
    values = {name.removeprefix("ray_vllm_"): each["values"] for name, each in found.items()}
    # The answer is `m: one two`.
    assert sum(values["prompt_tokens_total"]) == 2
    assert sum(values["generation_tokens_total"]) == 3
    assert len(values["time_to_first_token_seconds"]) == 1
    assert len(values["inter_token_latency_seconds"]) == 2
    assert max(values["num_requests_running"]) == 1
    assert values["num_requests_running"][-1] == 0
    assert 0 < max(values["kv_cache_usage_perc"]) < 0.001
    assert values["kv_cache_usage_perc"][-1] == 0


def test_a_request_whose_client_leaves_does_not_run_for_ever() -> None:
    found = exported(RAY, {}, "one two", "three four")
    assert max(found["ray_vllm_num_requests_running"]["values"]) == 2
    assert found["ray_vllm_num_requests_running"]["values"][-1] == 0


def test_requests_wait_for_their_turn() -> None:
    found = exported(RAY, {"running_at_most": 1}, "one", "two", "three")
    assert max(found["ray_vllm_num_requests_running"]["values"]) == 1
    assert max(found["ray_vllm_num_requests_waiting"]["values"]) == 2
    assert found["ray_vllm_num_requests_waiting"]["values"][-1] == 0
    assert max(found["ray_vllm_request_queue_time_seconds"]["values"]) > 0


def test_a_cache_that_is_too_small_is_full_and_preempts() -> None:
    found = exported(RAY, SMALL_CACHE, "one two")
    assert max(found["ray_vllm_kv_cache_usage_perc"]["values"]) == 1
    assert sum(found[f"ray_vllm_{PREEMPTIONS}"]["values"]) >= 1
    assert f"ray_vllm_{PREEMPTIONS}" not in exported(RAY, {}, "one two")
