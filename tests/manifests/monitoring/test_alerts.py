"""Each alert fires when it has to, and stays quiet beside it, on the real promtool."""

import re
import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.prometheus import PrometheusPrograms, prometheus_programs
from manifests.monitoring.alerts import RUNBOOK, Alert, alerts
from manifests.monitoring.google import alert_policy
from manifests.monitoring.panels import dashboards
from manifests.monitoring.queries import RECORDED_COST, Queries
from manifests.monitoring.rules import rule_groups
from models.capacity import Buying
from models.monitoring import MonitoringSystem
from planning import OffHoursPlan, Plan, WayPlan, WindowPlan
from tests.manifests.monitoring.alert_cases import CASES, Case
from tests.manifests.monitoring.stacks import MODEL, TESTED, monitored, monitoring, series
from tests.manifests.plans import model, pool, replicas, t4_model

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def programs() -> PrometheusPrograms:
    return prometheus_programs()


def promtool(programs: PrometheusPrograms, *arguments: str | Path) -> str:
    """What promtool says; the test fails if it finds anything wrong."""
    done = subprocess.run(
        [programs.promtool, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _case(plan: Plan, case: Case, firing: list[Alert]) -> dict[str, Any]:
    """The case in promtool's form."""
    written = [
        {"series": series(plan, s.metric, s.suffix, **s.labels), "values": s.values}
        for s in case.samples
    ]
    if case.recorded is not None:
        cost = Queries(plan=plan).recorded(RECORDED_COST)
        written.append({"series": cost, "values": case.recorded})
    return {
        "name": f"{case.alert}: {case.name}",
        "interval": "1m",
        "input_series": written,
        "alert_rule_test": [
            {
                "eval_time": case.at,
                "alertname": case.alert,
                "exp_alerts": [
                    {
                        "exp_labels": {
                            "severity": alert.severity,
                            "service": "ai/llm-serving",
                            "stack": "test",
                            **alert.about,
                        },
                        "exp_annotations": {
                            "summary": alert.summary,
                            "description": alert.description(plan),
                            "runbook": alert.runbook,
                        },
                    }
                    for alert in firing
                ],
            }
        ],
    }


def _firing(plan: Plan, case: Case) -> list[Alert]:
    return [
        alert
        for alert in alerts(plan)
        if alert.name == case.alert and case.about is not None and alert.about == case.about
    ]


@pytest.mark.parametrize("ray", TESTED)
def test_each_alert_fires_and_stays_quiet_beside_it(
    programs: PrometheusPrograms, tmp_path: Path, ray: str
) -> None:
    """All cases in one run of promtool, because each start of it costs a second."""
    plan = monitored(ray)
    groups = rule_groups(plan, alerts(plan))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups))
    # Where the cost is given, nothing may record it beside.
    without_cost = {"groups": [g for g in groups["groups"] if g["name"] == "ray-llm-alerts"]}
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(without_cost))
    for file, cases in (
        ("rules.yaml", [case for case in CASES if case.recorded is None]),
        ("alerts.yaml", [case for case in CASES if case.recorded is not None]),
    ):
        tests = [_case(plan, case, _firing(plan, case)) for case in cases]
        for case, test in zip(cases, tests, strict=True):
            assert bool(test["alert_rule_test"][0]["exp_alerts"]) == (case.about is not None)
        path = tmp_path / f"test-{file}"
        document = {"rule_files": [file], "evaluation_interval": "1m", "tests": tests}
        path.write_text(yaml.safe_dump(document))
        promtool(programs, "test", "rules", path)


def test_each_alert_has_a_case_of_both_kinds() -> None:
    found = names(monitored())
    assert {case.alert for case in CASES if case.about is not None} == found
    assert {case.alert for case in CASES if case.about is None} == found


@pytest.mark.parametrize("ray", TESTED)
@pytest.mark.parametrize("system", [MonitoringSystem.GMP, MonitoringSystem.PROMETHEUS_OPERATOR])
def test_prometheus_takes_the_rules(
    programs: PrometheusPrograms, tmp_path: Path, system: MonitoringSystem, ray: str
) -> None:
    plan = monitored(ray, monitoring=monitoring(system))
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rule_groups(plan, alerts(plan))))
    said = promtool(programs, "check", "rules", path)
    assert f"{len(alerts(plan)) + 4} rules found" in said


def test_the_recorded_cost_is_that_of_the_nodes_that_run(
    programs: PrometheusPrograms, tmp_path: Path
) -> None:
    """Two nodes at 1 USD an hour, three on spot at 0.4, and 0.5 for all else."""
    plan = monitored()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule_groups(plan, ())))
    cost = Queries(plan=plan).recorded(RECORDED_COST)
    nodes = {"l4": "0x10 2x20", "l4-spot": "3x40"}
    document = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": series(plan, "nodes_active", NodeType=pool_id), "values": values}
                    for pool_id, values in nodes.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": f"{cost} * 10",  # promtool compares floats exactly
                        "eval_time": at,
                        "exp_samples": [
                            {"labels": '{service="ai/llm-serving"}', "value": usd * 10}
                        ],
                    }
                    for at, usd in (("5m", 1.7), ("20m", 3.7))
                ],
            }
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document))
    promtool(programs, "test", "rules", tmp_path / "test.yaml")


def names(plan: Plan) -> set[str]:
    return {alert.name for alert in alerts(plan)}


def test_an_alert_needs_what_it_compares() -> None:
    everything = names(monitored())
    without = {
        "FirstTokenIsSlow": {"monitoring": monitoring(first_token_seconds=None)},
        "BudgetWillNotLast": {"monitoring": monitoring(monthly_budget=None)},
        "KeyIsAtItsLimit": {"access": None},
        "TokenIsRefused": {"has_hugging_face_token": False},
        "SpotNodesLeave": {"pools": (pool("l4"),)},
    }
    for name, changes in without.items():
        assert names(monitored(**changes)) == everything - {name}


def test_nodes_may_leave_of_a_pool_of_which_one_way_to_pay_ends() -> None:
    def way(buying: Buying) -> WayPlan:
        return WayPlan(
            path="ray-llm:gpuPools[0].capacity[0]",
            node_pool=f"l4-{buying}",
            buying=buying,
            zones=("us-central1-a",),
            min_nodes=0,
            max_nodes=4,
        )

    sure, ends = way(Buying.ON_DEMAND), way(Buying.FLEX_START)
    for ways, alerted in (((sure,), False), ((sure, ends), True)):
        pools = (replace(pool("l4"), ways=ways),)
        assert ("SpotNodesLeave" in names(monitored(pools=pools))) is alerted


def test_an_engine_without_metrics_has_no_alerts_on_them() -> None:
    silent = (t4_model(), model(engine={"disable_log_stats": True}))
    plan = monitored("2.49.1", models=silent, pools=(pool("l4"), pool("t4")))
    text = " ".join(alert.expression for alert in alerts(plan))
    assert "vllm" not in text
    assert {"FirstTokenIsSlow", "KvCacheIsFull"}.isdisjoint(names(plan))


def test_a_model_that_sleeps_at_night_may_have_no_replica_then() -> None:
    window = WindowPlan(
        path="ray-llm:offHours",
        sleep="0 20 * * *",
        wake="0 7 * * *",
        time_zone="Etc/UTC",
        models=(MODEL,),
    )
    nights = OffHoursPlan(windows=(window,), hours_a_week={MODEL: Decimal(77)})
    [alert] = [
        alert
        for alert in alerts(monitored(off_hours=nights))
        if alert.name == "ModelHasNoReplica" and alert.about == {"model": MODEL}
    ]
    assert "queued" in alert.expression


def test_a_model_is_waited_for_longer_than_its_start_is_planned_to_take() -> None:
    """50 GB at 60 MB a second, and the rest of the most that each phase may take, is 34 min."""

    def patience(checkpoint_bytes: int | None) -> str:
        made = model(checkpoint_bytes=checkpoint_bytes, replicas=replicas(1, 2))
        [alert] = [a for a in alerts(monitored(models=(made,))) if a.name == "ModelHasNoReplica"]
        assert f"for {alert.lasting.removesuffix('m')} minutes" in alert.summary
        return alert.lasting

    assert patience(50_000_000_000) == "35m"
    assert patience(1_000_000_000) == patience(None) == "20m"


def test_in_googles_store_a_stack_sees_its_own_cluster_alone() -> None:
    """Its recorded cost as well: a project's stacks often have one namespace and one name."""
    plan = monitored(monitoring=monitoring(MonitoringSystem.GMP))
    for alert in alerts(plan):
        first_labels = set(re.findall(r'\{(\w+="[^"]*")', alert.expression))
        assert first_labels == {f'cluster="{plan.cluster.name}"'}, alert.name


def test_a_policy_of_google_says_the_same_as_the_rule() -> None:
    plan = monitored(monitoring=monitoring(MonitoringSystem.GMP, channel="projects/a/b"))
    for alert in alerts(plan):
        written = alert_policy(plan, alert, "projects/a/notificationChannels/1")
        [condition] = written["conditions"]
        language = condition["conditionPrometheusQueryLanguage"]
        assert language["query"] == alert.expression
        seconds = int(language["duration"].removesuffix("s"))
        assert seconds == int(alert.lasting[:-1]) * {"m": 60, "h": 3600}[alert.lasting[-1]]
        assert alert.runbook in written["documentation"]["content"]
        # Two stacks of a project often have services of one name.
        assert written["displayName"].startswith("test: ")
        expected = {"stack": "test", "service": "ai/llm-serving", **alert.about}
        assert language["labels"] == expected


def test_whoever_has_nothing_but_the_alert_knows_what_to_run() -> None:
    said = {alert.name: alert.description(monitored()) for alert in alerts(monitored())}
    assert "`ray-llm doctor --stack test`" in said["ModelDoesNotAnswer"]
    assert "`ray-llm cost --stack test`" in said["BudgetWillNotLast"]
    assert all(f"{RUNBOOK}#{name.lower()}" in text for name, text in said.items())


def test_each_alert_has_its_part_of_the_docs() -> None:
    text = (REPOSITORY / RUNBOOK).read_text()
    headings = {line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")}
    assert names(monitored()) <= headings
    for name in names(monitored()):
        part = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert "**Look at**" in part, name
        assert "**Change**" in part, name


def test_a_panel_that_the_docs_name_is_on_a_dashboard() -> None:
    text = (REPOSITORY / RUNBOOK).read_text()
    named = set(re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", text))
    titles = [panel.title for page in dashboards(monitored()) for panel in page.panels]
    assert len(named) > 10
    assert {name for name in named if not any(title.startswith(name) for title in titles)} == set()
