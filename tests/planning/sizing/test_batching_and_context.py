"""The context length and batch size of a model: stated, from a profile, or derived."""

from typing import Any

import pytest

from planning import ModelPlan
from tests.planning.stacks import MODEL, Values, planned, sentences, stack


def on(tier: str, model: str = MODEL, defaults: Values | None = None, **keys: Any) -> ModelPlan:
    entry = {"model": model, "gpu": tier, **keys}
    return planned(stack([entry], [tier], token=True, defaults=defaults or {})).models[0]


def test_the_context_is_8192_unless_stated_or_habit() -> None:
    assert on("l4").max_model_len == 8192
    assert on("l4", defaults={"contextLength": 4096}).max_model_len == 4096
    assert on("l4", contextLength=16384, defaults={"contextLength": 4096}).max_model_len == 16384


def test_a_derived_context_ends_at_the_models_own() -> None:
    assert on("l4", "tinyllama-1.1b-chat").max_model_len == 2048


def test_a_derived_context_is_shortened_until_it_fits() -> None:
    plan = on("l4", "llama-2-7b-chat", defaults={"contextLength": 4096}, dtype="float16")
    assert plan.max_model_len == 4096
    shortened = on("l4", "gemma-2-9b-it", defaults={"contextLength": 8192})
    assert 2048 <= shortened.max_model_len < 8192
    assert shortened.max_model_len % 1024 == 0
    assert "max_model_len" in shortened.derived


def test_a_stated_context_is_never_shortened() -> None:
    length = on("l4", "gemma-2-9b-it").max_model_len
    reported = sentences(
        stack([{"model": "gemma-2-9b-it", "gpu": "l4", "contextLength": 8192}], ["l4"], token=True)
    )
    assert len(reported) == 1
    assert reported[0].startswith("ray-llm:models[0]")
    assert length < 8192


@pytest.mark.parametrize(
    ("profile", "sequences", "tokens", "utilization", "eager"),
    [
        (None, 128, 8192, 0.9, False),
        ("throughput", 256, 16384, 0.9, False),
        ("latency", 32, 2048, 0.9, False),
        ("memory", 16, 2048, 0.95, True),
    ],
)
def test_profiles_mean_what_they_say_where_there_is_room(
    profile: str | None, sequences: int, tokens: int, utilization: float, eager: bool
) -> None:
    plan = on("a100-80gb", **({"profile": profile} if profile else {}))
    assert plan.max_num_seqs == sequences
    assert plan.max_num_batched_tokens == tokens
    assert plan.gpu_memory_utilization == utilization
    assert plan.enforce_eager is eager


def test_derived_batches_step_down_until_the_model_fits() -> None:
    roomy = on("a100-80gb", "mistral-7b-instruct-v0.3", profile="throughput")
    tight = on("l4", "mistral-7b-instruct-v0.3", profile="throughput", contextLength=32768)
    assert tight.max_num_batched_tokens < roomy.max_num_batched_tokens


def test_stated_batches_never_move() -> None:
    plan = on("l4", engine={"max_num_seqs": 7, "max_num_batched_tokens": 3000})
    assert (plan.max_num_seqs, plan.max_num_batched_tokens) == (7, 3000)
    assert "max_num_seqs" not in plan.derived


def test_v0_takes_prompts_whole() -> None:
    entry = {"model": MODEL, "gpu": "t4", "contextLength": 16384, "profile": "latency"}
    plan = planned(stack([entry], ["t4"], versions={"ray": "2.49.1"})).models[0]
    assert plan.max_num_batched_tokens >= plan.max_model_len == 16384


def test_other_engine_arguments_pass_through_untouched() -> None:
    plan = on("l4", engine={"enable_prefix_caching": False, "max_num_seqs": 8})
    assert plan.engine == {"enable_prefix_caching": False}
