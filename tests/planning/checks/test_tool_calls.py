"""Parsers of tool calls and reasoning: which names a release takes, and where others come from."""

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
