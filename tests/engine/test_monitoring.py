"""Monitoring on the real engine: what is created with it, and that nothing else changes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.deployments import Deployment, shipped_config
from tests.engine.test_gateway import objects, of_google

pytestmark = pytest.mark.engine

CHANNEL = "projects/acme-ml-dev/notificationChannels/123"
DASHBOARD = "gcp:monitoring/dashboard:Dashboard"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"


def with_monitoring(**keys: Any) -> dict[str, Any]:
    sections = {f"ray-llm:{key}": value for key, value in keys.items()}
    return {**shipped_config("dev"), "ray-llm:monitoring": "gmp", **sections}


def test_it_comes_to_a_running_service_and_goes_without_touching_it(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, "dev", shipped_config("dev"))
    deployment.must_up()
    before = {resource["urn"] for resource in deployment.state()}
    deployment.write(with_monitoring(slo={"timeToFirstTokenSeconds": 2}))
    assert {(change.operation, change.type) for change in deployment.changes()} == {
        ("create", "ray-llm:index:Monitoring"),
        ("create", "kubernetes:monitoring.googleapis.com/v1:PodMonitoring"),
        ("create", "kubernetes:monitoring.googleapis.com/v1:Rules"),
        ("create", "kubernetes:core/v1:ConfigMap"),
        ("create", "kubernetes:batch/v1:CronJob"),
        ("create", DASHBOARD),
    }
    deployment.must_up()
    assert set(objects(deployment, "PodMonitoring")) == {
        "llm-serving-ray",
        "llm-serving-autoscaler",
    }
    (rules,) = objects(deployment, "Rules").values()
    names = {rule.get("alert") for group in rules["spec"]["groups"] for rule in group["rules"]}
    assert "FirstTokenIsSlow" in names
    for dashboard in of_google(deployment, DASHBOARD):
        assert json.loads(dashboard["dashboardJson"])["mosaicLayout"]["tiles"]
    assert deployment.changes() == set()
    deployment.write(shipped_config("dev"))
    deployment.must_up()
    assert {resource["urn"] for resource in deployment.state()} == before


def test_a_channel_of_google_is_told_by_policies_and_not_twice(tmp_path: Path) -> None:
    config = with_monitoring(alerts={"channel": CHANNEL}, monthlyBudget=5000)
    deployment = Deployment(tmp_path, "dev", config)
    deployment.must_up()
    policies = of_google(deployment, POLICY)
    assert {tuple(policy["notificationChannels"]) for policy in policies} == {(CHANNEL,)}
    (rules,) = objects(deployment, "Rules").values()
    assert [group["name"] for group in rules["spec"]["groups"]] == ["ray-llm-cost"]
    assert deployment.changes() == set()


def test_a_prometheus_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = {**shipped_config("dev"), "ray-llm:monitoring": "prometheus-operator"}
    deployment = Deployment(tmp_path, "dev", config)
    done = deployment.pulumi("up", "--skip-preview")
    assert done.returncode != 0
    assert "PodMonitor" in done.stdout + done.stderr
