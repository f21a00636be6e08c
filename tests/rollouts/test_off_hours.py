"""What is said of an update that comes while models sleep."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from manifests import service_manifests
from models.off_hours import zone
from rollouts import Expectation, PoolNode, predict, waking_sentence
from tests.manifests.test_off_hours import sleepy, window

MORNING = datetime(2026, 12, 1, 7, 0, tzinfo=zone("Europe/Berlin"))
EXPECTED = Expectation(pools={"l4": PoolNode(gpus=1, usd_per_hour=Decimal("0.7"))})
SERVICE = service_manifests(sleepy()).ray_service


def said(asleep: dict[str, datetime], new: Any = SERVICE) -> str:
    sentence = waking_sentence(asleep, new, EXPECTED, 5)
    return "" if sentence is None else sentence.text


def test_it_names_models_gpus_money_and_for_how_long() -> None:
    text = said({"a": MORNING, "b.c": MORNING})
    assert text.startswith("It is off-hours for a, b.c, until Tuesday, 07:00 (Europe/Berlin)")
    assert "This update wakes them" in text
    assert "4 of l4, USD 2.80 an hour" in text
    assert "At most 5 minutes later" in text
    assert "600 seconds" in text
    assert "wakes it: " in said({"a": MORNING})


def test_models_that_lose_their_off_hours_stay_awake() -> None:
    sentence = waking_sentence({"a": MORNING}, SERVICE, EXPECTED, None)
    assert sentence is not None
    assert "Nothing lets them sleep again" in sentence.text
    assert "schedule" not in sentence.text


def test_nothing_is_said_by_day_or_of_models_that_are_not_served() -> None:
    assert said({}) == ""
    assert said({"gone": MORNING}) == ""
    assert said({"a": MORNING}, {"spec": {"serveConfigV2": "- a"}}) == ""


def test_new_windows_change_nothing_that_runs() -> None:
    before = service_manifests(sleepy(window(["a"]))).ray_service
    after = service_manifests(sleepy(window(["a", "b.c"], "UTC"))).ray_service
    assert before != after
    assert predict(before, after, "1.6.2").models == ()
    assert not predict(before, after, "1.6.2").causes
