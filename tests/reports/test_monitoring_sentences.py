"""What a plan says of monitoring, and of a load that nothing reads."""

from typing import Any

import pytest

from reports.monitoring_sentences import monitoring_sentences
from reports.plan_data import plan_summary
from reports.plan_markdown import plan_markdown
from reports.plan_text import plan_text
from tests.planning.small_stacks import planned, small

CHANNEL = "projects/acme/notificationChannels/12"
OPERATOR = {"system": "prometheus-operator", "namespace": "watch"}


def test_a_plan_without_monitoring_says_nothing_of_it() -> None:
    summary = plan_summary(planned([small()]))
    assert "monitoring" not in summary
    assert monitoring_sentences(summary) == ()


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"monitoring": "gmp"}, "nobody is told of alerts but by an Alertmanager"),
        ({"monitoring": "gmp", "alerts": {"channel": CHANNEL}}, f"tells {CHANNEL} of alerts."),
        ({"monitoring": OPERATOR}, "The Prometheus in the namespace watch collects metrics"),
        ({"monitoring": OPERATOR, "alerts": {"channel": "night"}}, "by their label channel: night"),
    ],
)
@pytest.mark.parametrize("report", [plan_text, plan_markdown])
def test_every_report_says_who_is_told(report: Any, sections: dict[str, Any], said: str) -> None:
    text = report(plan_summary(planned([small()], **sections))).replace("\\", "")
    assert said in " ".join(text.split())


def test_a_load_of_what_writes_no_tokens_is_not_passed_over() -> None:
    loaded = {"model": "bge-m3", "load": {"outputTokensPerSecond": 2000}}
    text = plan_text(plan_summary(planned([loaded, small()])))
    assert "bge-m3: nothing reads its load, because it writes no tokens." in text
