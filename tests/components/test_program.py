"""`__main__.py` with the shipped stack files."""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi.runtime import set_all_config

from models.stack_file import read_stack_file
from tests.components.programs import Record, Recording

ROOT = Path(__file__).parents[2]
TOKEN = "hf_QfYvTz0123456789"
TOKEN_KEY = "ray-llm:huggingFaceToken"


@pytest.fixture(params=["dev", "staging", "prod"])
def program(
    request: pytest.FixtureRequest, record: Record, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Recording]:
    file = read_stack_file(ROOT / f"Pulumi.{request.param}.yaml")
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in file.values.items()
        if key != TOKEN_KEY
    }
    set_all_config({**texts, TOKEN_KEY: TOKEN}, [TOKEN_KEY])
    monkeypatch.chdir(ROOT)

    def run() -> None:
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")

    yield record(run)
    set_all_config({}, [])


def test_program_has_few_components_and_no_loose_resource(program: Recording) -> None:
    components = [item for item in program.registrations if item.type.startswith("ray-llm:")]
    assert sorted(item.type for item in components) == [
        "ray-llm:index:GkeCluster",
        "ray-llm:index:GpuNodePools",
        "ray-llm:index:KubeRayOperator",
        "ray-llm:index:OffHours",
        "ray-llm:index:RayLlmService",
    ]
    parents = {item.urn for item in components}
    assert all(item.parent in parents for item in program.registrations if item not in components)


def test_off_hours_are_a_component_of_their_own_after_the_service(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = dict(read_stack_file(ROOT / "Pulumi.staging.yaml").values)
    values["ray-llm:defaults"] = {"replicas": {"min": 1, "max": 2}}
    window = {"sleep": "0 20 * * 1-5", "wake": "0 7 * * 1-5", "timeZone": "Europe/Berlin"}
    values["ray-llm:offHours"] = window
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
        if key != TOKEN_KEY
    }
    set_all_config({**texts, TOKEN_KEY: TOKEN}, [TOKEN_KEY])
    monkeypatch.chdir(ROOT)

    def run() -> None:
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")

    found = record(run)
    set_all_config({}, [])
    component = found.named("off-hours")
    children = [item for item in found.registrations if item.parent == component.urn]
    assert sorted(item.type.rpartition(":")[2] for item in children) == [
        "ConfigMap",
        "CronJob",
        "Role",
        "RoleBinding",
        "ServiceAccount",
    ]
    assert found.named("llm-ray-service").urn in component.dependencies


def test_models_come_after_pools_and_kuberay(program: Recording) -> None:
    after = program.named("llm").dependencies
    before = [
        item
        for item in program.registrations
        if item.parent in (program.named("gpu-pools").urn, program.named("kuberay").urn)
    ]
    assert len(before) >= 4
    assert all(item.urn in after for item in before)


def test_kubernetes_objects_go_to_the_stacks_own_cluster(program: Recording) -> None:
    provider = program.named("cluster-kubernetes").urn
    objects = [item for item in program.registrations if item.type.startswith("kubernetes:")]
    assert len(objects) >= 10
    assert all(item.provider.startswith(provider) for item in objects)


def test_token_reaches_the_secret_alone(program: Recording) -> None:
    holders = [item.name for item in program.registrations if TOKEN in item.raw]
    assert holders == ["llm-hugging-face-token"]


def test_program_reads_like_a_table_of_contents() -> None:
    lines = (ROOT / "__main__.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 60
