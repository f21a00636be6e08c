"""What is said of windows that do not fit each other or the models."""

from typing import Any

import pytest

from models.problems import StackError
from tests.planning.small_stacks import planned, small

WINDOW = {"sleep": "0 20 * * 1-5", "wake": "0 7 * * 1-5", "timeZone": "Europe/Berlin"}
PAIR = (small("l4", name="a"), small("l4", name="b"))


def said(windows: Any, *models: dict[str, Any], pool: Any = "l4") -> dict[str, str]:
    """The sentences by their rules, of stops or of warnings."""
    try:
        plan = planned([*(models or PAIR)], gpuPools=[pool], offHours=windows)
    except StackError as error:
        return {problem.rule: problem.sentence() for problem in error.problems}
    found = {warning.rule: warning.sentence() for warning in plan.warnings}
    return {rule: text for rule, text in found.items() if rule.startswith("off-hours")}


def test_a_good_window_is_silent() -> None:
    assert said(WINDOW) == {}
    assert said([{**WINDOW, "models": ["a"]}, {**WINDOW, "models": ["b"]}]) == {}


def test_several_windows_of_a_model_may_follow_each_other() -> None:
    assert said([WINDOW, {**WINDOW, "sleep": "0 12 * * 1-5", "wake": "0 14 * * 1-5"}]) == {}


def test_a_misspelt_model_is_named_with_the_nearest() -> None:
    text = said({**WINDOW, "models": ["a", "bb"]})["off-hours-model"]
    assert "ray-llm:offHours.models[1]: bb is not the name" in text
    assert "leave bb out of models" in text


@pytest.mark.parametrize(
    "other",
    [
        {"sleep": "0 22 * * 1-5", "wake": "0 5 * * 1-5"},  # inside
        {"sleep": "0 12 * * 6", "wake": "0 12 * * 0"},  # of a weekend
        {"sleep": "0 7 * * 1-5", "wake": "0 8 * * 1-5"},  # begins as the other ends
        {"sleep": "0 17 * * 1-5", "wake": "0 18 * * 1-5", "timeZone": "America/New_York"},
    ],
)
def test_windows_that_contradict_each_other_stop(other: dict[str, Any]) -> None:
    text = said([WINDOW, {**WINDOW, **other}])["off-hours-overlap"]
    assert "ray-llm:offHours[1]: overlaps ray-llm:offHours[0] for a, b" in text
    assert "offHours[1] out" in text


def test_windows_of_other_models_do_not_contradict_each_other() -> None:
    text = said([{**WINDOW, "models": ["a"]}, {**WINDOW, "models": ["b", "a"]}])
    assert "for a, for instance" in text["off-hours-overlap"]
    assert "offHours[1].models" in text["off-hours-overlap"] or "[b]" in text["off-hours-overlap"]


@pytest.mark.parametrize("wake", ["0 20 * * 1-5", "0 20 * * 1"])
def test_both_ends_at_the_same_minute_stop(wake: str) -> None:
    assert "Leave offHours out" in said({**WINDOW, "wake": wake})["off-hours-same-minute"]


def test_a_window_shorter_than_leaving_and_starting_is_warned_of() -> None:
    text = said({**WINDOW, "sleep": "0 6 * * 1-5", "wake": "15 6 * * 1-5"})["off-hours-short"]
    assert "is open for 15 minutes only" in text


def test_a_window_that_is_over_before_its_nodes_are_gone_is_warned_of() -> None:
    window = {**WINDOW, "sleep": "0 1 * * *", "wake": "0 5 * * *"}
    assert "off-hours-short" not in said(window)
    text = said(window, pool={"tier": "l4", "idleTimeoutSeconds": 18000})["off-hours-short"]
    assert "takes 320 minutes until its node is gone" in text


def test_a_day_shorter_than_a_start_is_warned_of() -> None:
    text = said({**WINDOW, "sleep": "5 7 * * *", "wake": "0 7 * * *"})["off-hours-short"]
    assert "awake for 5 minutes at a time" in text


def test_a_model_that_sleeps_already_is_warned_of_if_it_is_named() -> None:
    sleepy = small("l4", name="b", replicas={"min": 0, "max": 1})
    assert said(WINDOW, PAIR[0], sleepy) == {}
    text = said({**WINDOW, "models": ["a", "b"]}, PAIR[0], sleepy)["off-hours-asleep"]
    assert "changes nothing for b" in text
    assert said(WINDOW, sleepy).keys() == {"off-hours-asleep"}


def test_nodes_that_stay_in_every_window_are_warned_of_with_what_keeps_them() -> None:
    kept = said(WINDOW, small("l4"), pool={"tier": "l4", "minNodes": 1})
    assert kept.keys() == {"off-hours-kept"}
    assert "its minNodes 1 keeps them" in kept["off-hours-kept"]
    assert "minNodes: 0" in kept["off-hours-kept"]
    # One node has room for both.
    pair = (small("l4-x2", name="a"), small("l4-x2", name="b"))
    shared = said({**WINDOW, "models": ["b"]}, *pair, pool="l4-x2")
    assert "while b sleeps: a needs them day and night" in shared["off-hours-kept"]
    assert "[b, a]" in shared["off-hours-kept"]


def test_a_short_window_in_which_no_node_goes_is_not_to_be_made_longer() -> None:
    short = {**WINDOW, "sleep": "0 5 * * *", "wake": "30 5 * * *"}
    kept = said(short, small("l4"), pool={"tier": "l4", "minNodes": 1})
    assert kept.keys() == {"off-hours-kept"}


@pytest.mark.parametrize("least", [1, 2])
def test_a_node_that_goes_is_not_said_to_be_kept(least: int) -> None:
    pool = {"tier": "l4", "minNodes": least - 1}
    model = {**small("l4"), "replicas": {"min": least, "max": 2}}
    assert said(WINDOW, model, pool=pool) == {}


def test_two_windows_that_let_a_shared_node_go_together_are_fine() -> None:
    pair = (small("l4-x2", name="a"), small("l4-x2", name="b"))
    windows = [{**WINDOW, "models": ["a"]}, {**WINDOW, "models": ["b"]}]
    assert said(windows, *pair, pool="l4-x2") == {}
