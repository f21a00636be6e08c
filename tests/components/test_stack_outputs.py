"""The outputs of a stack: the plan is one line for people and complete for programs."""

import json

import pulumi
import pytest

from components.stack_outputs import export_stack_outputs
from planning import Plan
from reports.plan_data import plan_summary
from reports.plan_reading import summary_of_json


class Anything:
    """Replaces a component, because only the names of the outputs matter here."""

    def __getattr__(self, name: str) -> str:
        return name


def test_the_plan_is_a_text_that_pulumi_does_not_unfold(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported: dict[str, object] = {}
    monkeypatch.setattr(pulumi, "export", exported.__setitem__)
    export_stack_outputs(plan, Anything(), Anything())  # type: ignore[arg-type]
    assert list(exported) == ["endpoints", "commands", "cluster", "plan"]
    text = exported["plan"]
    assert isinstance(text, str)
    assert "\n" not in text
    # Pulumi prints a string that is a JSON object or list over many lines.
    assert isinstance(json.loads(text), str)
    assert summary_of_json(text, "plan") == json.loads(json.dumps(plan_summary(plan)))
