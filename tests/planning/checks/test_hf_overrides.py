"""Overrides of config.json, as vLLM 0.10.0 and 0.29.0 took and refused them."""

from typing import Any

import pytest

from models.architecture import has_text_config
from tests.planning.stacks import planned, sentences, stack

TEXT, IMAGES = "qwen2.5-7b-instruct", "qwen2.5-vl-3b-instruct"
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
BASE = {**YARN, "rope_theta": 1000000.0}


def _stack(model: str, overrides: dict[str, Any], ray: str, **keys: Any) -> dict[str, Any]:
    entry = {"model": model, "engine": {"hf_overrides": overrides}, **keys}
    return stack([entry], ["a100-80gb"], versions={"ray": ray})


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"rope_scaling": "yarn"}, 'rope_scaling: "yarn" is not a mapping'),
        ({"rope_parameters": [1]}, "rope_parameters: a list is not a mapping"),
        ({"rope_scaling": {**BASE, "factor": "4"}}, "Write 4 without quotes"),
        ({"rope_parameters": {**BASE, "factor": -4.0}}, "-4.0 is not a number above 0"),
        ({"rope_parameters": {**BASE, "factor": 0}}, "0 is not a number above 0"),
        ({"rope_parameters": {**BASE, "factor": [4]}}, "a list is not a number"),
        ({"rope_parameters": {**BASE, "beta_fast": "32"}}, 'beta_fast: "32" is not a number'),
        ({"rope_parameters": {**BASE, "rope_theta": "1e6"}}, 'rope_theta: "1e6" is not'),
        ({"rope_parameters": {**BASE, "rope_theta": -1}}, "rope_theta: -1 is not a number above"),
        (
            {"rope_parameters": {**YARN, "original_max_position_embeddings": "32768"}},
            "Write 32768 without quotes",
        ),
        ({"max_position_embeddings": "65536"}, "Write 65536 without quotes"),
        ({"max_position_embeddings": 65536.0}, "65536.0 is not a whole number"),
        ({"rope_parameters": {**BASE, "factor": float("nan")}}, "nan is not a number above 0"),
        ({"rope_parameters": {**BASE, "factor": "inf"}}, '"inf" is not a number'),
        ({"max_position_embeddings": 0}, "0 is not a whole number of at least 1"),
        ({"text_config": "x"}, 'text_config: "x" is not a mapping'),
    ],
)
def test_values_that_vllm_cannot_compute_with_stop(overrides: dict[str, Any], said: str) -> None:
    (sentence,) = sentences(_stack(TEXT, overrides, "2.60.0"))
    assert said in sentence


@pytest.mark.parametrize(
    "overrides",
    [
        {"rope_parameters": YARN},
        {"rope_parameters": {**YARN, "factor": 4}},
        {"rope_parameters": {**YARN, "original_max_position_embeddings": 32768.0}},
        {"rope_parameters": {**YARN, "attention_factor": "1"}},
        {"rope_scaling": BASE},
        {"rope_scaling": None, "text_config": None},
        {"max_position_embeddings": 65536},
    ],
)
def test_values_that_vllm_takes_pass(overrides: dict[str, Any]) -> None:
    planned(_stack(TEXT, overrides, "2.60.0"))


def test_the_older_vllm_takes_a_base_as_text_which_it_does_not_read() -> None:
    planned(_stack(TEXT, {"rope_scaling": {**YARN, "rope_theta": "1000000"}}, "2.49.1"))
    planned(_stack(TEXT, {"max_position_embeddings": 65536.0}, "2.49.1"))


@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
def test_the_positions_of_a_model_with_images_are_those_of_its_text_config(key: str) -> None:
    beside = sentences(_stack(IMAGES, {key: BASE}, "2.60.0", contextLength=131072))[0]
    assert ("is refused there" if key == "rope_scaling" else "is ignored there") in beside
    assert f"Write it as hf_overrides.text_config.{key}" in beside
    inside = {"text_config": {key: YARN}}
    planned(_stack(IMAGES, inside, "2.60.0", contextLength=131072))


def test_an_older_vllm_has_no_place_for_an_override_of_a_model_with_images() -> None:
    beside = sentences(_stack(IMAGES, {"rope_scaling": YARN}, "2.49.1"))[0]
    assert beside.endswith("Leave the override out.")
    inside = sentences(_stack(IMAGES, {"text_config": {"rope_scaling": YARN}}, "2.49.1"))[0]
    assert "replaces the whole text_config in vLLM 0.10.0" in inside


def test_a_text_model_has_no_text_config_and_its_values_move_up() -> None:
    said = sentences(_stack(TEXT, {"text_config": {"rope_parameters": YARN}}, "2.60.0"))[0]
    assert "is no part of this model's configuration" in said
    assert "Write what is in it into hf_overrides itself" in said


def test_the_longest_context_of_a_model_with_images_is_overridden_in_its_text_config() -> None:
    inside = {"text_config": {"max_position_embeddings": 131072}}
    planned(_stack(IMAGES, inside, "2.60.0", contextLength=131072))
    beside = {"max_position_embeddings": 131072}
    assert "beyond the model's own limit" in "".join(
        sentences(_stack(IMAGES, beside, "2.60.0", contextLength=131072))
    )


def test_transformers_says_which_model_types_have_a_text_config() -> None:
    assert has_text_config("qwen2_5_vl") is True
    assert has_text_config("gemma3_text") is False
    assert has_text_config("of-nobody") is None
