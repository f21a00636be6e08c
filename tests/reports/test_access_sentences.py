"""What a plan says of the way in, and what its changes mean for those who ask."""

import json
from typing import Any

import pytest

from reports.access_sentences import access_changes, way_in_sentences
from reports.difference import difference
from reports.difference_markdown import difference_markdown
from reports.plan_data import PlanSummary, plan_summary
from reports.plan_markdown import plan_markdown
from reports.plan_reading import summary_of_json
from reports.plan_text import plan_text
from tests.planning.small_stacks import planned

MODEL = "qwen2.5-0.5b-instruct"
KEY = {"secure": "AAABciphertext"}
INTERNAL: dict[str, Any] = {
    "exposure": "internal",
    "keys": {"search": KEY, "support": {"key": KEY, "models": [MODEL], "requestsPerMinute": 60}},
}
SUPPORT = INTERNAL["keys"]["support"]
EXTERNAL = {
    **INTERNAL,
    "exposure": "external",
    "host": "llm.acme.example",
    "certificate": "managed",
}


def summary(access: Any = None, percent: int = 0) -> PlanSummary:
    canary = {"model": MODEL, "name": "b", "canaryOf": MODEL, "percent": percent}
    models = [MODEL, *([canary] if percent else [])]
    sections = {} if access is None else {"access": access}
    return plan_summary(planned(models, **sections))


def test_a_plan_names_url_exposure_keys_limits_and_canaries() -> None:
    said = way_in_sentences(summary(EXTERNAL, percent=5))
    assert said == (
        "Gateway: all models answer at one URL, https://llm.acme.example/v1, reached from the "
        "internet with a certificate of Google's; 2 replicas of 1856 MiB for bodies of at most 8 "
        "MiB.",
        "Keys: search: all models; support: qwen2.5-0.5b-instruct, 60 requests a minute.",
        "Canary: b gets 5 % of the requests for qwen2.5-0.5b-instruct.",
    )
    assert "Keys: none" in way_in_sentences(summary({}))[1]


@pytest.mark.parametrize("report", [plan_text, plan_markdown, json.dumps])
def test_every_report_shows_the_gateway_and_none_shows_a_key(report: Any) -> None:
    text = report(summary(EXTERNAL))
    assert "llm.acme.example" in text
    assert "support" in text
    assert "ciphertext" not in text


def test_a_plan_without_a_gateway_is_the_same_as_ever() -> None:
    plan = summary()
    assert "access" not in plan
    assert "loadBalancer" not in plan["cost"]
    assert way_in_sentences(plan) == ()


def test_the_data_of_a_plan_is_read_again() -> None:
    plan = summary(EXTERNAL, percent=5)
    assert summary_of_json(json.dumps(plan), "a plan") == plan


def changes(old: PlanSummary, new: PlanSummary) -> str:
    return " ".join(access_changes(old, new))


def test_nothing_is_said_if_nothing_changes() -> None:
    assert access_changes(summary(EXTERNAL), summary(EXTERNAL)) == ()
    assert access_changes(None, summary(EXTERNAL)) == ()
    assert access_changes(summary(), summary()) == ()


def test_a_gateway_that_comes_closes_a_port_and_one_that_goes_opens_it() -> None:
    assert "A gateway comes before the models." in changes(summary(), summary({}))
    assert changes(summary(INTERNAL), summary()) == (
        "The gateway goes, and its address and keys with it: every pod of the cluster reaches the "
        "models directly again, without a key."
    )


def test_another_exposure_is_said() -> None:
    assert changes(summary(INTERNAL), summary(EXTERNAL)) == (
        "The gateway's exposure goes from internal to external, so the internet can reach it."
    )
    assert "and nobody else; its address of before answers no more" in changes(
        summary(EXTERNAL), summary(INTERNAL)
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"search": KEY}, "The key support is removed, and requests with it get 401."),
        ({**INTERNAL["keys"], "third": KEY}, "The key third is added."),
        (
            {**INTERNAL["keys"], "support": {"key": KEY, "requestsPerMinute": 60}},
            "The key support may ask every model instead of qwen2.5-0.5b-instruct.",
        ),
        (
            {**INTERNAL["keys"], "support": {**SUPPORT, "requestsPerMinute": 90}},
            "The limit of support goes from 60 to 90 requests a minute.",
        ),
    ],
)
def test_a_key_that_comes_goes_or_changes_is_said(keys: Any, said: str) -> None:
    assert changes(summary(INTERNAL), summary({**INTERNAL, "keys": keys})) == said


def test_the_first_and_the_last_key_are_said_to_close_and_open() -> None:
    assert "From now on a request needs a key." in changes(summary({}), summary(INTERNAL))
    without = changes(summary(INTERNAL), summary({"exposure": "internal"}))
    assert without == (
        "The keys search and support are removed. No key is left, so that whoever reaches the "
        "gateway may ask every model."
    )


def test_a_canary_is_said() -> None:
    assert "Canary b gets 5 %" in changes(summary({}), summary({}, percent=5))
    assert "Canary b gets 20 %" in changes(summary({}, percent=5), summary({}, percent=20))
    assert "Canary b gets no more requests" in changes(summary({}, percent=5), summary({}))


def test_the_difference_of_two_plans_shows_who_may_ask() -> None:
    changed = difference(summary(INTERNAL), summary({**INTERNAL, "keys": {"search": KEY}}))
    assert not changed.is_empty
    text = difference_markdown(changed)
    assert "**Who may ask, and from where**\n\n- The key support is removed, and" in text
