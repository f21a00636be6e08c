"""Models that sleep by windows, on the real engine: previews, updates, edits, and the end."""

from datetime import UTC, datetime
from typing import Any

import pytest

from manifests import schedule_of
from manifests.off_hours.script.main import ANNOTATION, FIELD_MANAGER
from manifests.off_hours.script.minima import with_minima
from reports.drift import drift_of
from rollouts import NOTHING_CHANGES
from tests.daily_window import daily_window
from tests.engine.deployments import Change, Deployment, shipped_config

pytestmark = pytest.mark.engine

CRON_JOB = "kubernetes:batch/v1:CronJob"
RAY_SERVICE = "kubernetes:ray.io/v1:RayService"
JOB = "kubernetes:batch/v1:Job"


def config(*windows: dict[str, Any]) -> dict[str, Any]:
    stack = shipped_config("dev") | {"ray-llm:versions": {"ray": "2.60.0"}}
    stack["ray-llm:defaults"] = {"replicas": {"min": 1, "max": 2}}
    del stack["ray-llm:offHours"]
    return {**stack, "ray-llm:offHours": list(windows)} if windows else stack


def steps(deployment: Deployment) -> set[Change]:
    return {change for change in deployment.changes() if change.type != "pulumi:pulumi:Stack"}


def ray_service(deployment: Deployment) -> tuple[str, dict[str, Any]]:
    [(key, entry)] = [
        (key, entry)
        for key, entry in deployment.cloud.cloud_objects().items()
        if "|RayService|" in key
    ]
    return key, entry["object"]


def minima(deployment: Deployment) -> list[str]:
    """Those of the live object, in the order of its text."""
    text = ray_service(deployment)[1]["spec"]["serveConfigV2"]
    overrides = [part.partition("deployments:")[2] for part in text.split("\n- name: ")[1:]]
    return [
        line.strip() for part in overrides for line in part.splitlines() if "min_replicas" in line
    ]


def let_sleep(deployment: Deployment) -> None:
    """What the pod of the CronJob does in an open window."""
    key, live = ray_service(deployment)
    schedule = schedule_of(live)
    assert schedule is not None
    asleep = schedule.asleep(datetime.now(UTC))
    assert asleep
    text = with_minima(
        live["spec"]["serveConfigV2"], schedule.minima, {f"/{name}" for name in asleep}
    )
    deployment.cloud.edit_object(key, ["spec", "serveConfigV2"], text, FIELD_MANAGER)
    assert set(minima(deployment)) == {"min_replicas: 0"}


def said(deployment: Deployment, *arguments: str) -> str:
    done = deployment.pulumi("preview", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join(done.stdout.split())


def test_windows_through_the_life_of_a_stack(tmp_path_factory: pytest.TempPathFactory) -> None:
    deployment = Deployment(tmp_path_factory.mktemp("nights"), "dev", config())
    deployment.must_up()
    assert not any("|CronJob|" in key for key in deployment.existing())

    # Windows are added by day: nothing restarts, and nothing is tested again.
    deployment.write(config(daily_window(open_now=False)))
    added = steps(deployment)
    assert Change("update", RAY_SERVICE, "llm-ray-service") in added
    assert Change("create", CRON_JOB, "off-hours-cron-job") in added
    assert JOB not in {change.type for change in added}
    preview = said(deployment)
    assert NOTHING_CHANGES.text in preview
    assert "It is off-hours" not in preview
    deployment.must_up()
    assert ANNOTATION in ray_service(deployment)[1]["metadata"]["annotations"]
    assert steps(deployment) == set()

    # At night the live text differs, and neither `up` nor the drift report minds.
    deployment.write(config(daily_window(open_now=True)))
    assert "It is off-hours for" in said(deployment)
    deployment.must_up()
    let_sleep(deployment)
    assert steps(deployment) == set()
    deployment.must_up()
    assert set(minima(deployment)) == {"min_replicas: 0"}
    drifted = deployment.pulumi("preview", "--refresh", "--show-sames", "--json")
    assert drift_of(drifted.stdout, "preview.json").resources == ()

    # An edit at night says what it wakes, is no conflict, and is deployed with the day's minima.
    edited = config(daily_window(open_now=True))
    edited["ray-llm:defaults"] = {"replicas": {"min": 1, "max": 3}}
    deployment.write(edited)
    assert "This update wakes them" in said(deployment)
    deployment.must_up()
    assert set(minima(deployment)) == {"min_replicas: 1"}
    assert steps(deployment) == set()
    let_sleep(deployment)

    # Without windows, nothing of them is left, and nobody is left asleep.
    plain = config()
    plain["ray-llm:defaults"] = {"replicas": {"min": 1, "max": 3}}
    deployment.write(plain)
    assert "Nothing lets them sleep again" in said(deployment)
    deployment.must_up()
    assert set(minima(deployment)) == {"min_replicas: 1"}
    assert ANNOTATION not in ray_service(deployment)[1]["metadata"]["annotations"]
    assert not any("|CronJob|" in key or "off-hours" in key for key in deployment.existing())

    deployment.write(config(daily_window(open_now=True)))
    deployment.must_up()
    done = deployment.pulumi("destroy", "--skip-preview")
    assert done.returncode == 0, done.stdout + done.stderr
    assert deployment.existing() == set()
