"""What a plan says of its hardening, and what a change of it does."""

from typing import Any

import pytest

from reports.difference import difference
from reports.hardening_sentences import hardening_sentences
from reports.plan_data import PlanSummary, plan_summary
from reports.plan_markdown import plan_markdown
from reports.plan_text import plan_text
from reports.rollout import Rollout
from tests.planning.small_stacks import planned, small

CLUSTER = {"name": "llm", "zones": ["us-central1-a"]}
ACCOUNT = "nodes@acme.iam.gserviceaccount.com"


def summary(cluster: Any = None, service: Any = None) -> PlanSummary:
    sections = {"cluster": {**CLUSTER, **(cluster or {})}, "service": service or {}}
    return plan_summary(planned([small()], **sections))


def test_a_plan_without_hardening_says_nothing_of_it() -> None:
    assert "hardening" not in summary()
    assert hardening_sentences(summary()) == ()


@pytest.mark.parametrize(
    ("cluster", "service", "said"),
    [
        ({"privateNodes": True}, {}, "through Cloud NAT of this stack"),
        ({"privateNodes": True, "cloudNat": "existing"}, {}, "through the network's own Cloud NAT"),
        ({"nodeServiceAccount": ACCOUNT}, {}, f"service account {ACCOUNT}."),
        ({}, {"podSecurity": "restricted"}, "the Pod Security Standard restricted."),
        ({}, {"headRecovery": {"redis": "10.0.0.3:6379"}}, "in Redis at 10.0.0.3:6379."),
    ],
)
@pytest.mark.parametrize("report", [plan_text, plan_markdown])
def test_every_report_says_what_closes_a_stack(
    report: Any, cluster: Any, service: Any, said: str
) -> None:
    # Markdown has a character without width after an @, so that nobody is mentioned.
    text = report(summary(cluster, service)).replace("\\", "").replace("&#8203;", "")
    assert said in " ".join(text.split())


@pytest.mark.parametrize(
    ("cluster", "service", "rollout"),
    [
        ({"privateNodes": True}, {}, Rollout.NODES),
        ({"nodeServiceAccount": ACCOUNT}, {}, Rollout.POOL_REPLACED),
        ({}, {"podSecurity": "restricted"}, Rollout.SECOND_CLUSTER),
        ({}, {"headRecovery": {"redis": "10.0.0.3:6379"}}, Rollout.SECOND_CLUSTER),
    ],
)
def test_a_change_of_it_says_what_it_does(cluster: Any, service: Any, rollout: Rollout) -> None:
    changed = difference(summary(), summary(cluster, service))
    assert rollout in {change.rollout for change in changed.others}
