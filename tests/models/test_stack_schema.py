"""The JSON Schema for editors: the shipped file is current and agrees with the program."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from models.reading import read_stack
from models.stack_schema import schema_text, stack_schema
from tests.planning.small_stacks import small, values

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft7Validator(stack_schema())


def errors(config: dict[str, Any]) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors({"config": config})]


def test_the_shipped_schema_is_current() -> None:
    shipped = ROOT / "schemas/stack.schema.json"
    assert shipped.read_text(encoding="utf-8") == schema_text(), "run: make schema"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("path", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_the_shipped_stacks_are_valid(path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "keys",
    [
        {"gpuPools": ["l4", {"tier": "l4", "spot": True, "maxNodes": 3}]},
        {"quotas": {"NVIDIA_L4_GPUS": 8}, "prices": {"l4": {"spot": 0.3}}},
        {"monthlyBudget": "5000", "loadFactor": 0.5},
        {"huggingFaceToken": {"secure": "AAAB"}},
        {"defaults": {"replicas": {"min": 0, "max": 2}, "profile": "latency"}},
    ],
)
def test_what_the_program_reads_is_valid(keys: dict[str, Any]) -> None:
    stack = values([small(engine={"max_num_seqs": 4}), "qwen2.5-7b-instruct"], **keys)
    secrets = frozenset({"ray-llm:huggingFaceToken"} & stack.keys())
    assert not read_stack("test", stack, secrets).problems
    assert not errors(stack)


@pytest.mark.parametrize(
    "keys",
    [
        {"gpuPool": ["l4"]},
        {"gpuPools": ["l5"]},
        {"gpuPools": []},
        {"gpuPools": [{"tier": "l4", "maxnodes": 3}]},
        {"models": ["no-such-model"]},
        {"models": [{"model": "qwen2.5-7b-instruct", "contextLenght": 8}]},
        {"models": [{"model": "qwen2.5-7b-instruct", "contextLength": "8k"}]},
        {"quotas": {"NVIDIA_L4_GPU": 8}},
        {"quotas": {"NVIDIA_L4_GPUS": -1}},
        {"prices": {"l5": {"spot": 1.0}}},
        {"monthlyBudget": "5k"},
        {"huggingFaceToken": "hf_" + "plaintexttoken"},
        {"cluster": {"name": "llm"}},
        {"versions": {"ray": "1.0.0"}},
    ],
)
def test_what_the_program_refuses_by_form_is_invalid(keys: dict[str, Any]) -> None:
    assert errors({**values([small()]), **{f"ray-llm:{key}": value for key, value in keys.items()}})


def test_keys_of_pulumi_and_other_packages_are_left_alone() -> None:
    assert not errors({**values([small()]), "aws:region": "eu-west-1", "pulumi:tags": {"a": "b"}})


def test_the_schema_knows_every_key_that_the_program_reads() -> None:
    unknown = read_stack("test", {**values([small()]), "ray-llm:qqqqqqqq": 1}).problems
    reported = next(problem.remedy for problem in unknown if problem.rule == "unknown-key")
    known = reported.split("Known keys: ")[1].rstrip(".").split(", ")
    keys = stack_schema()["properties"]["config"]["properties"]
    assert {key.removeprefix("ray-llm:") for key in keys if key.startswith("ray-llm:")} == set(
        known
    )
