"""Which Ray a pod's image holds on this machine, and what there is of each release."""

import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.cluster.ray_environments import (
    STAND_IN,
    RayEnvironment,
    chosen,
    defined,
    environment_of,
)
from localcloud.testing.running_cluster import RunningCluster, eventually

MISSING = "rayproject/ray-llm:9.99.9-py312-cu130"


def environments() -> tuple[RayEnvironment, ...]:
    return tuple(chosen(defined(Path("/programs")), None, STAND_IN))


def environment(release: str, engine: str = STAND_IN) -> RayEnvironment:
    nowhere = Path("/nowhere")
    return RayEnvironment(release, engine, nowhere, 1, (), {}, nowhere, nowhere)


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("rayproject/ray-llm:2.60.0-py312-cu130", "2.60.0"),
        ("rayproject/ray-llm:2.49.1-py311-cu128", "2.49.1"),
        ("registry.example.com:5000/ml/llm:team-2.60.0", "2.60.0"),
        ("rayproject/ray-llm:2.60.0-py312-cu130@sha256:" + "0" * 64, "2.60.0"),
    ],
)
def test_the_tag_of_an_image_says_which_release_it_holds(image: str, release: str) -> None:
    found = environment_of(image, environments())
    assert found
    assert found.release == release


@pytest.mark.parametrize(
    "image",
    [MISSING, "python:3.11", "rayproject/ray-llm", "host:5000/ray-llm", "x:12.60.0", "x:2.60.0.1"],
)
def test_an_image_with_another_release_or_none_is_not_there(image: str) -> None:
    assert environment_of(image, environments()) is None


def test_each_environment_has_its_release_locked_and_the_arguments_of_its_vllm() -> None:
    for each in environments():
        lock = (each.definition / "uv.lock").read_text(encoding="utf-8")
        assert f'name = "ray"\nversion = "{each.release}"\n' in lock
        assert each.vllm_arguments.exists()
        assert all(folder.is_dir() for folder in each.python_path)


def test_an_engine_replaces_the_stand_in_of_the_releases_that_have_it() -> None:
    all_of_them = [environment("2.9.0"), environment("2.60.0"), environment("2.60.0", "vllm")]
    assert [str(each) for each in chosen(all_of_them, None, "vllm")] == ["2.9.0", "2.60.0 (vllm)"]
    assert [str(each) for each in chosen(all_of_them, ["2.60.0"], STAND_IN)] == ["2.60.0"]


@pytest.mark.parametrize(
    ("releases", "engine", "reason"),
    [
        (["2.1.0"], STAND_IN, r"no environment with Ray 2\.1\.0, only 2\.9\.0, 2\.60\.0\."),
        (["2.9.0"], "vllm", r"no environment with the engine vllm, only stand-in\."),
    ],
)
def test_what_there_is_not_is_one_sentence_with_what_there_is(
    releases: list[str], engine: str, reason: str
) -> None:
    all_of_them = [environment("2.9.0"), environment("2.60.0"), environment("2.60.0", "vllm")]
    with pytest.raises(ValueError, match=reason):
        chosen(all_of_them, releases, engine)


@pytest.mark.cluster
def test_a_pod_whose_image_is_not_there_waits_as_on_any_cluster(
    local_cluster: RunningCluster,
) -> None:
    container = {"name": "ray", "image": MISSING, "command": ["true"]}
    template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    name = {"name": "missing-image", "namespace": "default"}
    local_cluster.node_pool(
        {
            "name": "cpu",
            "machineType": "e2-standard-4",
            "zones": ["us-central1-a"],
            "totalMin": 0,
            "totalMax": 1,
            "allocatable": {"cpu": "3", "memory": "12Gi"},
        }
    )
    local_cluster.apply(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": name, "spec": {"template": template}}
    )
    path = "/api/v1/namespaces/default/pods?labelSelector=job-name%3Dmissing-image"
    jobs = "/apis/batch/v1/namespaces/default/jobs/missing-image"

    def waiting() -> dict[str, Any] | None:
        for pod in local_cluster.items(path):
            for status in pod["status"].get("containerStatuses", []):
                if status["state"].get("waiting", {}).get("reason") == "ImagePullBackOff":
                    found: dict[str, Any] = status["state"]["waiting"]
                    return found
        return None

    try:
        message = eventually(waiting, "the image cannot be pulled", seconds=60)["message"]
        assert message.startswith(f'Back-off pulling image "{MISSING}": ErrImagePull: ')
        assert message.endswith(f"docker.io/{MISSING}: not found")
        assert json.dumps(local_cluster.get(jobs)["status"]).count("succeeded") == 0
    finally:
        local_cluster.delete(f"{jobs}?propagationPolicy=Background")
        (local_cluster.state.folder / "node-pools" / "cpu.json").unlink()
