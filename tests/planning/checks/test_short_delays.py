"""Replicas that go faster than they start."""

from typing import Any

import pytest

from tests.planning.small_stacks import planned, small

NIGHTS = {"sleep": "0 20 * * 1-5", "wake": "0 7 * * 1-5", "timeZone": "Europe/Berlin"}
SHORT = {"downscaleDelaySeconds": 5}
FIXED = {"replicas": {"min": 1, "max": 1}}


def paths(*models: dict[str, Any], **settings: Any) -> list[str]:
    plan = planned([*models], gpuPools=["l4"], **settings)
    return [problem.path for problem in plan.warnings if problem.rule == "downscale-short"]


def test_a_delay_of_the_model_or_of_the_defaults_is_warned_of_where_it_stands() -> None:
    assert paths(small(**SHORT)) == ["ray-llm:models[0].downscaleDelaySeconds"]
    default = ["ray-llm:defaults.downscaleDelaySeconds"]
    assert paths(small(name="a"), small(name="b"), defaults=SHORT) == default
    # The defaults hold for no model.
    assert paths(small(downscaleDelaySeconds=600), defaults=SHORT) == []


def test_a_night_lets_replicas_go_of_which_the_number_is_fixed() -> None:
    assert paths(small(**SHORT, **FIXED)) == []
    assert paths(small(**SHORT, **FIXED), offHours=NIGHTS) != []


@pytest.mark.parametrize("delay", [60, 600])
def test_a_minute_is_enough(delay: int) -> None:
    assert paths(small(downscaleDelaySeconds=delay)) == []
