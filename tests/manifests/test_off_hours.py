"""The schedule's objects: its CronJob, its rights, its files, and the RayService's annotation."""

import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests import OffHoursManifests, as_awake, schedule_of, service_manifests
from manifests.off_hours import script_files
from manifests.off_hours.script import main
from manifests.off_hours.script.minima import with_minima
from manifests.smoke_test.script.service_view import OFF_HOURS_ANNOTATION
from models.off_hours import zone_data
from planning import OffHoursPlan, Plan, WindowPlan
from tests.manifests.plans import model, plan, replicas

BERLIN = "Europe/Berlin"


def window(names: Sequence[str], zone: str = BERLIN, **changes: Any) -> WindowPlan:
    values: dict[str, Any] = {
        "path": "ray-llm:offHours",
        "sleep": "0 20 * * 1-5",
        "wake": "0 7 * * 1-5",
        "time_zone": zone,
        "models": tuple(names),
    }
    return WindowPlan(**{**values, **changes})


def sleepy(*windows: WindowPlan, names: Sequence[str] = ("a", "b.c")) -> Plan:
    models = tuple(model(name, replicas=replicas(2)) for name in names)
    made = windows or (window(names),)
    hours = {name: Decimal(103) for item in made for name in item.models}
    return replace(plan(models), off_hours=OffHoursPlan(windows=tuple(made), hours_a_week=hours))


def manifests_of(made: Plan) -> OffHoursManifests:
    found = service_manifests(made).off_hours
    assert found is not None
    return found


def test_a_stack_without_off_hours_has_no_schedule_and_no_annotation() -> None:
    made = service_manifests(plan())
    assert made.off_hours is None
    assert main.ANNOTATION not in made.ray_service["metadata"]["annotations"]


def test_windows_are_no_part_of_what_restarts_or_is_tested_again() -> None:
    before, after = (
        service_manifests(replace(sleepy(), off_hours=None)),
        service_manifests(sleepy()),
    )
    assert after.ray_service["spec"] == before.ray_service["spec"]
    assert after.smoke_test == before.smoke_test
    assert after.config_maps == before.config_maps


def test_the_schedule_may_change_this_one_ray_service_and_nothing_else() -> None:
    assert manifests_of(sleepy()).role["rules"] == [
        {
            "apiGroups": ["ray.io"],
            "resources": ["rayservices"],
            "resourceNames": ["llm-serving"],
            "verbs": ["get", "patch"],
        }
    ]


def test_its_pods_run_the_services_own_image_as_restricted_pods() -> None:
    made = sleepy()
    spec = manifests_of(made).cron_job["spec"]
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["image"] == made.release.image
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert (spec["concurrencyPolicy"], spec["timeZone"]) == ("Forbid", "Etc/UTC")
    assert spec["startingDeadlineSeconds"] > spec["jobTemplate"]["spec"]["activeDeadlineSeconds"]


def test_the_annotation_holds_windows_and_the_minima_of_the_day() -> None:
    made = sleepy(window(["a"]), window(["a"], "UTC", sleep="0 12 * * *", wake="0 13 * * *"))
    record = json.loads(
        service_manifests(made).ray_service["metadata"]["annotations"][main.ANNOTATION]
    )
    assert [item["timeZone"] for item in record["windows"]] == [BERLIN, "UTC"]
    [ingress] = [name for name in record["minima"]["/a"] if name != "LLMServer:a"]
    assert record["minima"] == {"/a": {ingress: 1, "LLMServer:a": 2}}
    assert OFF_HOURS_ANNOTATION == main.ANNOTATION


def test_only_minima_change_and_the_day_is_the_deployed_text_again() -> None:
    ray_service = service_manifests(sleepy(window(["a"]))).ray_service
    text = ray_service["spec"]["serveConfigV2"]
    schedule = schedule_of(ray_service)
    assert schedule is not None
    asleep = with_minima(text, schedule.minima, {"/a"})
    before, after = yaml.safe_load(text), yaml.safe_load(asleep)
    for deployment in before["applications"][0]["deployments"]:
        assert deployment["autoscaling_config"]["min_replicas"] > 0
        deployment["autoscaling_config"]["min_replicas"] = 0
    assert after == before
    assert with_minima(asleep, schedule.minima, {"/a"}) == asleep
    assert with_minima(asleep, schedule.minima, ()) == text


def test_a_minimum_that_somebody_wrote_by_hand_stays_by_day_and_goes_at_night() -> None:
    text = (
        "applications:\n- route_prefix: /a\n  deployments:\n"
        '  - {name: "LLMServer:a", autoscaling_config: {min_replicas: 5, max_replicas: 9}}\n'
    )
    minima = {"/a": {"LLMServer:a": 2}}
    assert with_minima(text, minima, ()) == text
    assert "min_replicas: 0, max_replicas: 9" in with_minima(text, minima, {"/a"})


@pytest.mark.parametrize("text", ["", "a: [", "- a", "applications: 3", "applications: [1, {}]"])
def test_a_text_of_another_form_is_left_alone_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert with_minima(text, {"/a": {"LLMServer:a": 2}}, {"/a"}) == text


def test_what_sleeps_is_what_was_deployed() -> None:
    ray_service = service_manifests(sleepy()).ray_service
    schedule = schedule_of(ray_service)
    assert schedule is not None
    night = with_minima(ray_service["spec"]["serveConfigV2"], schedule.minima, {"/a", "/b.c"})
    live = {**ray_service, "spec": {**ray_service["spec"], "serveConfigV2": night}}
    assert live != ray_service
    assert as_awake(live) == ray_service


@pytest.mark.parametrize("text", [None, "", "[]", '{"windows": [{}]}', "3"])
def test_an_annotation_of_another_form_changes_nothing(text: str | None) -> None:
    live = {"metadata": {"annotations": {main.ANNOTATION: text}}, "spec": {"serveConfigV2": "a"}}
    assert schedule_of(live) is None
    assert as_awake(live) is live


def mounted(folder: Path, made: Plan) -> Path:
    """The pod's volume as a folder."""
    found = manifests_of(made)
    config_map = found.script
    pod = found.cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [volume] = pod["volumes"]
    for item in volume["configMap"]["items"]:
        path = folder / item["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if item["key"] in config_map["data"]:
            path.write_text(config_map["data"][item["key"]], "utf-8")
        else:
            path.write_bytes(base64.b64decode(config_map["binaryData"][item["key"]]))
    return folder


def test_the_volume_has_all_that_the_program_imports(tmp_path: Path) -> None:
    folder = mounted(tmp_path, sleepy(window(["a"], "America/Argentina/Ushuaia")))
    zone = folder / script_files.ZONES / "America/Argentina/Ushuaia"
    assert zone.read_bytes() == zone_data("America/Argentina/Ushuaia")
    # Isolated: neither this repository nor its environment but for PyYAML.
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); "
        "import cronsim, manifests.off_hours.script.main as m; "
        "print(m.__file__, cronsim.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert all(path.startswith(str(folder)) for path in done.stdout.split())


def test_another_script_or_zone_is_another_config_map() -> None:
    names = {
        manifests_of(made).script["metadata"]["name"]
        for made in (sleepy(), sleepy(window(["a"], "UTC")), sleepy(window(["a"], "Asia/Tokyo")))
    }
    assert len(names) == 3


def test_keys_of_the_config_map_are_keys() -> None:
    config_map = manifests_of(sleepy(window(["a"], "Etc/GMT+1"))).script
    keys = [*config_map["data"], *config_map["binaryData"]]
    assert all(key.replace(".", "").replace("-", "").replace("_", "").isalnum() for key in keys)
