"""A model that may sleep while it is used, because Ray Serve does not see its quick answers."""

from typing import Any

import pytest

from tests.planning.small_stacks import planned

EMBEDS = {"model": "qwen3-embedding-0.6b"}
SLEEPS = {"replicas": {"min": 0, "max": 2}}


def warnings(model: dict[str, Any], **settings: Any) -> list[str]:
    plan = planned([model], gpuPools=["l4"], **settings)
    return [problem.reason for problem in plan.warnings if problem.rule == "unseen-use"]


@pytest.mark.parametrize(
    ("delay", "chance"),
    [(60, "94 %"), (600, "60 %"), (3500, "5 %"), (3600, None)],
)
def test_a_model_that_embeds_and_sleeps_is_warned_about(delay: int, chance: str | None) -> None:
    found = warnings({**EMBEDS, **SLEEPS, "downscaleDelaySeconds": delay})
    assert [f"a chance of up to {chance}" in reason for reason in found] == [True] * bool(chance)
    # The load is averaged for another 20 s.
    assert all(f"unused for {delay + 20} s" in reason for reason in found)


def test_a_minimum_of_the_defaults_counts() -> None:
    assert warnings(EMBEDS, defaults=SLEEPS)


@pytest.mark.parametrize(
    "model",
    [{**EMBEDS, "replicas": {"min": 1, "max": 2}}, {"model": "qwen3-0.6b", **SLEEPS}],
    ids=["does not sleep", "generates"],
)
def test_another_model_is_not(model: dict[str, Any]) -> None:
    assert warnings(model) == []
