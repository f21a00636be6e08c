"""Parsers of tool calls and reasoning: which names a release takes, and where others come from."""

import pytest

from models.catalog import (
    closed_values,
    llms,
    parser_names,
    supported_architectures,
    usual_parser,
    vllm_versions,
)
from models.problems import Severity
from tests.planning.small_stacks import planned, stops

ENABLED = {"enable_auto_tool_choice": True}


def test_the_way_out_names_the_ray_whose_vllm_registers_the_parser() -> None:
    model = {"model": "qwen2.5-7b-instruct", "engine": {**ENABLED, "tool_call_parser": "seed_oss"}}
    (problem,) = stops([model], gpuPools=["l4"], versions={"ray": "2.49.1"})
    assert "versions.ray: 2.50.1, whose vLLM has it" in problem.sentence()


def test_an_own_image_may_bring_a_parser_as_a_plugin() -> None:
    model = {"model": "qwen2.5-7b-instruct", "engine": {**ENABLED, "tool_call_parser": "acme"}}
    versions = {"image": "example.com/acme/ray-llm:2.49.1"}
    plan = planned([model], gpuPools=["l4"], versions=versions)
    (warning,) = (problem for problem in plan.warnings if problem.rule == "tool-parser")
    assert warning.severity is Severity.WARN


def test_a_plugin_for_reasoning_registers_what_it_likes() -> None:
    engine = {"reasoning_parser": "acme", "reasoning_parser_plugin": "/plugins/acme.py"}
    model = {"model": "qwen2.5-7b-instruct", "engine": engine}
    plan = planned([model], gpuPools=["l4"], versions={"ray": "2.55.1"})
    assert "tool-parser" not in {problem.rule for problem in plan.warnings}


def test_the_reasoning_parser_of_structured_outputs_is_looked_up_as_well() -> None:
    engine = {"structured_outputs_config": {"reasoning_parser": "acme"}}
    model = {"model": "qwen2.5-7b-instruct", "engine": engine}
    (problem,) = stops([model], gpuPools=["l4"], versions={"ray": "2.55.1"})
    assert problem.path.endswith("engine.structured_outputs_config.reasoning_parser")


@pytest.mark.parametrize("argument", ["tool_call_parser", "reasoning_parser"])
@pytest.mark.parametrize("vllm", vllm_versions())
def test_the_parser_of_a_family_is_registered_where_its_models_load(
    argument: str, vllm: str
) -> None:
    """A family of the catalogue that a release loads has the parser that the release registers."""
    families = parser_names()[argument]
    lacking = {
        row.architecture.model_type
        for row in llms().values()
        if row.architecture.model_type in families
        and row.architecture.architecture in supported_architectures(vllm)
        and usual_parser(argument, row.architecture.model_type, vllm) is None
    }
    assert lacking == set()


@pytest.mark.parametrize("argument", ["tool_call_parser", "reasoning_parser"])
def test_every_parser_of_the_table_exists_in_some_release(argument: str) -> None:
    known = frozenset().union(*(closed_values(vllm)[argument] for vllm in vllm_versions()))
    named = {name for names in parser_names()[argument].values() for name in names}
    assert named <= known


@pytest.mark.parametrize(
    ("model", "parser"),
    [
        ("qwen2.5-7b-instruct", "hermes"),
        ("llama-3.1-8b-instruct", "llama3_json"),
        ("mistral-7b-instruct-v0.3", "mistral"),
    ],
)
def test_tool_choice_without_a_parser_names_that_of_the_family(model: str, parser: str) -> None:
    entry = {"model": model, "gated": False, "engine": ENABLED}
    (problem,) = stops([entry], gpuPools=["l4"], versions={"ray": "2.49.1"})
    assert f"Add tool_call_parser: {parser}, or leave it out" in problem.sentence()


def test_a_family_without_a_known_parser_is_sent_to_its_card() -> None:
    entry = {"model": "phi-4", "engine": ENABLED}
    (problem,) = stops([entry], gpuPools=["l4-x2"], versions={"ray": "2.49.1"})
    assert "the name that the model's card gives" in problem.sentence()


def test_a_parser_of_another_release_leads_to_the_familys_own() -> None:
    engine = {"reasoning_parser": "qwen3_reasoning"}
    entry = {"model": "qwen3-8b", "engine": engine}
    (problem,) = stops([entry], gpuPools=["l4"], versions={"ray": "2.49.1"})
    assert "Use qwen3" in problem.sentence() or "Write qwen3" in problem.sentence()
