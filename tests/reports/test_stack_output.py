"""The stack output `plan` in the forms that Pulumi and earlier versions print."""

import json

import pytest

from reports.plan_data import plan_summary
from reports.plan_reading import summary_of_json
from reports.sources import SourceError
from tests.planning.small_stacks import planned, small

SUMMARY = json.loads(json.dumps(plan_summary(planned([small()]))))
OUTPUT = json.dumps(json.dumps(SUMMARY))


@pytest.mark.parametrize(
    "text",
    [
        OUTPUT,  # pulumi stack output plan
        json.dumps(OUTPUT),  # pulumi stack output plan --json
        json.dumps({"cluster": "llm", "plan": OUTPUT}),  # pulumi stack output --json
        json.dumps(SUMMARY),  # of a stack of an earlier version, and of `--json` here
        json.dumps({"cluster": "llm", "plan": SUMMARY}),
    ],
)
def test_every_form_of_the_output_is_read(text: str) -> None:
    assert summary_of_json(text, "-") == SUMMARY


@pytest.mark.parametrize("text", ['"plan"', '{"plan": "none"}', '"{"'])
def test_a_text_without_a_plan_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="is not a plan"):
        summary_of_json(text, "-")
