"""The values of `ray-llm:offHours`, and what is said of wrong ones."""

from typing import Any

import pytest

from models.invalid_value import InvalidValueError
from models.off_hours import cron_text, models_meant, time_zone, zone, zone_data
from models.reading import read_stack
from tests.planning.stacks import stack


@pytest.mark.parametrize(
    "text",
    [
        "0 20 * * 1-5",
        "30 7 1 * *",
        "0 7 * * mon-fri",
        "0 0 29 2 *",
        "5 */2 * * 7",
        "0 6,18 * * SAT",
    ],
)
def test_cron_texts_that_have_one_meaning_are_taken(text: str) -> None:
    assert cron_text(f" {text} ") == text


@pytest.mark.parametrize(
    ("text", "reason", "meant"),
    [
        ("0 20 * *", "has 4 fields", None),
        ("0 0 20 * * 1-5", "has 6 fields", "0 20 * * 1-5"),
        ("20:30", "is a time", "30 20 * * *"),
        ("@midnight", "is not five fields", "0 0 * * *"),
        ("@every 8h", "is not five fields", None),
        ("TZ=Europe/Berlin 0 20 * * *", "names a time zone", "0 20 * * *"),
        ("0 20 30 2 *", "is never due", "0 20 1 2 *"),
        ("0 20 31 4,6,9,11 *", "is never due", "0 20 1 4,6,9,11 *"),
        ("*/15 20 * * *", "more than once an hour", "0 20 * * *"),
        ("0 20 1 * 1", "restricts the day of the month and", "0 20 * * 1"),
        ("60 20 * * *", "bad minute", None),
        ("0 24 * * *", "bad hour", None),
        ("0 22-6 * * *", "bad hour", None),
        ("0 20 L * *", "has L as its day of the month", None),
        ("0 20 ? * 1-5", "has a ?", "0 20 * * 1-5"),
        ("0 20 * * mon#1", "has mon#1 as its day of the week", None),
        ("0 20 * * 8", "bad day-of-week", None),
        ("0 20 * * 1--5", "has 1--5", None),
    ],
)
def test_other_texts_are_refused_with_what_was_meant(
    text: str, reason: str, meant: str | None
) -> None:
    with pytest.raises(InvalidValueError) as found:
        cron_text(text)
    assert reason in found.value.reason
    assert [value for _, value in found.value.fixes] == ([] if meant is None else [meant])
    assert found.value.rule == "off-hours-cron"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Europe/Berln", "Europe/Berlin"),
        ("Asia/Berlin", "Europe/Berlin"),
        ("utc", "UTC"),
        ("Local", None),
        # Nothing is near an abbreviation or an offset: EST is seven hours from CEST.
        *((word, None) for word in ("CEST", "CDT", "BST", "IST", "Z", "UTC+2", "GMT+1", "gmt-2")),
        ("Europe/Munich", None),
    ],
)
def test_a_zone_that_does_not_exist_is_refused_with_the_nearest(
    name: str, meant: str | None
) -> None:
    with pytest.raises(InvalidValueError) as found:
        time_zone(name)
    assert [value for _, value in found.value.fixes] == ([] if meant is None else [meant])


def test_zones_come_from_the_pinned_package() -> None:
    assert time_zone("Europe/Berlin") == "Europe/Berlin"
    assert zone("Europe/Berlin").key == "Europe/Berlin"
    assert zone_data("America/Argentina/Ushuaia").startswith(b"TZif")


@pytest.mark.parametrize("value", ["ALL", "llama", [], None, 3, ["a", "a"], ["a", 1], ""])
def test_models_are_all_or_a_list(value: Any) -> None:
    with pytest.raises(InvalidValueError):
        models_meant(value)
    assert models_meant("all") is None
    assert models_meant(["all", "b"]) == ("all", "b")


WINDOW = {"sleep": "0 20 * * 1-5", "wake": "0 7 * * 1-5", "timeZone": "Europe/Berlin"}


def test_one_window_stands_without_a_list() -> None:
    for value, path in ((WINDOW, "ray-llm:offHours"), ([WINDOW], "ray-llm:offHours[0]")):
        reading = read_stack("x", stack(offHours=value))
        assert reading.settings is not None
        [window] = reading.settings.off_hours
        assert (window.path, window.models, window.time_zone) == (path, None, "Europe/Berlin")


@pytest.mark.parametrize(
    ("value", "path", "rule"),
    [
        ("nightly", "ray-llm:offHours", "wrong-type"),
        ([], "ray-llm:offHours", "empty-list"),
        (["nightly"], "ray-llm:offHours[0]", "wrong-type"),
        ({**WINDOW, "zone": "UTC"}, "ray-llm:offHours.zone", "unknown-key"),
        ({"sleep": "0 20 * * *", "wake": "0 7 * * *"}, "ray-llm:offHours.timeZone", "missing-key"),
        ([WINDOW, {**WINDOW, "sleep": "x"}], "ray-llm:offHours[1].sleep", "off-hours-cron"),
        ({**WINDOW, "models": []}, "ray-llm:offHours.models", "invalid-value"),
        ({**WINDOW, "timeZone": "CEST"}, "ray-llm:offHours.timeZone", "time-zone-unknown"),
    ],
)
def test_a_broken_window_is_reported_at_its_path(value: Any, path: str, rule: str) -> None:
    reading = read_stack("x", stack(offHours=value))
    assert [(problem.path, problem.rule) for problem in reading.problems] == [(path, rule)]
