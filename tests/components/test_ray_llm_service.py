"""The service: its objects, their options for Pulumi, and where the token is used."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from components import RayLlmService, RayLlmServiceArgs
from components.ray_llm_service import ANSWER_TIMEOUT_SECONDS, SEEN_TIMEOUT_SECONDS
from manifests import SMOKE_TEST_DEADLINE_SECONDS, service_manifests
from models.stack import ModelDeployment
from planning import Plan
from tests.components.programs import Record, Recording, Registration, plan_of

TOKEN = "hf_QfYvTz0123456789"
SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"
RAY_SERVICE = "ray.io/v1:RayService"
JOB = "batch/v1:Job"
RECORD = "pulumi:index:Stash"


def service_of(plan: Plan, **changes: Any) -> Callable[[], None]:
    values: dict[str, Any] = {
        "manifests": service_manifests(plan),
        "hugging_face_token": pulumi.Output.secret(TOKEN),
    }

    def program() -> None:
        provider = kubernetes.Provider("cluster", context="test")
        RayLlmService(
            "llm",
            RayLlmServiceArgs(**{**values, **changes}),
            pulumi.ResourceOptions(provider=provider),
        )

    return program


@pytest.fixture
def recorded(record: Record, plan: Plan) -> Recording:
    return record(service_of(plan))


def children(recording: Recording, component: str = "llm") -> list[Registration]:
    parent = recording.named(component).urn
    return [item for item in recording.registrations if item.parent == parent]


def objects(recording: Recording) -> list[Registration]:
    """The children that are objects of the cluster, so all but the record of a rollout."""
    return [item for item in children(recording) if item.type != RECORD]


def annotations(registration: Registration) -> dict[str, str]:
    return dict(registration.inputs["metadata"]["annotations"])


def test_every_manifest_of_the_plan_is_created(recorded: Recording, plan: Plan) -> None:
    manifests = service_manifests(plan)
    assert recorded.one(RAY_SERVICE).inputs["spec"] == manifests.ray_service["spec"]
    assert recorded.one(JOB).inputs["spec"] == manifests.smoke_test.job["spec"]
    created = {
        item.inputs["metadata"]["name"]: item.inputs["data"]
        for item in recorded.of_type("core/v1:ConfigMap")
    }
    wanted = (*manifests.config_maps, manifests.smoke_test.script)
    assert created == {item["metadata"]["name"]: item["data"] for item in wanted}
    role, binding = manifests.smoke_test.role, manifests.smoke_test.role_binding
    assert recorded.one("v1:Role").inputs["rules"] == role["rules"]
    assert recorded.one("v1:RoleBinding").inputs["roleRef"] == binding["roleRef"]
    assert recorded.one("v1:RoleBinding").inputs["subjects"] == binding["subjects"]
    for item in objects(recorded):
        if not item.type.endswith("core/v1:Namespace"):
            assert item.inputs["metadata"]["namespace"] == "ai"


def test_every_child_has_the_component_as_parent_and_its_provider(recorded: Recording) -> None:
    mine = children(recorded)
    assert {item.name for item in recorded.registrations} == {
        "cluster",
        "llm",
        *(item.name for item in mine),
    }
    assert all("::cluster::" in item.provider for item in objects(recorded))


def test_nothing_comes_before_its_namespace(recorded: Recording) -> None:
    namespace = recorded.one("core/v1:Namespace").urn
    for item in objects(recorded):
        if item.urn != namespace and not item.type.endswith(JOB):
            assert namespace in item.dependencies


def test_ray_service_comes_after_token_and_configs(recorded: Recording) -> None:
    dependencies = recorded.one(RAY_SERVICE).dependencies
    assert recorded.one("core/v1:Secret").urn in dependencies
    configs = [item for item in recorded.of_type("core/v1:ConfigMap") if "llm-configs" in item.name]
    assert configs
    for config_map in configs:
        assert config_map.urn in dependencies


def test_the_record_says_which_service_was_begun_before_the_ray_service_changes(
    recorded: Recording, plan: Plan
) -> None:
    """An `up` that is killed between the two has the record alone in its state."""
    record = recorded.named("llm-rollout")
    noted = record.inputs["input"]
    assert noted["smokeTest"] == recorded.one(JOB).inputs["metadata"]["name"]
    metadata = recorded.one(RAY_SERVICE).inputs["metadata"]
    assert noted["service"] == {key: metadata[key] for key in ("namespace", "name")}
    assert noted["nodes"] == {pool.id: pool.nodes_at_min for pool in plan.pools}
    assert record.urn in recorded.one(RAY_SERVICE).dependencies


def test_what_an_edit_of_the_way_in_would_break_stops_before_the_ray_service_changes(
    recorded: Recording,
) -> None:
    record = recorded.named("llm-access")
    assert record.type == RECORD
    assert record.urn in recorded.one(RAY_SERVICE).dependencies


def test_job_comes_after_its_script(recorded: Recording) -> None:
    assert recorded.named("llm-smoke-test-script").urn in recorded.one(JOB).dependencies


@pytest.mark.parametrize("ending", ["v1:ServiceAccount", "v1:Role", "v1:RoleBinding", JOB])
def test_the_test_is_known_by_its_former_name(recorded: Recording, ending: str) -> None:
    """Pulumi then deletes the old Job before the new one starts."""
    assert "llm-ask-models" in recorded.one(ending).aliases


def test_up_waits_for_the_job_and_not_for_kuberays_ready(recorded: Recording) -> None:
    """Ready is stale after an edit, and if one model of a new service fails, it is never true."""
    service = recorded.one(RAY_SERVICE)
    assert annotations(service)["pulumi.com/waitFor"] == "jsonpath={.status.conditions[0].type}"
    assert annotations(service)["pulumi.com/timeoutSeconds"] == str(SEEN_TIMEOUT_SECONDS)
    job = recorded.one(JOB)
    assert service.urn in job.dependencies
    assert "pulumi.com/skipAwait" not in annotations(job)
    assert annotations(job)["pulumi.com/timeoutSeconds"] == str(ANSWER_TIMEOUT_SECONDS)
    assert job.create_timeout == f"{ANSWER_TIMEOUT_SECONDS}s"


def test_job_gives_up_before_pulumi_does(recorded: Recording) -> None:
    assert ANSWER_TIMEOUT_SECONDS > SMOKE_TEST_DEADLINE_SECONDS
    assert recorded.one(JOB).inputs["spec"]["activeDeadlineSeconds"] == SMOKE_TEST_DEADLINE_SECONDS


def test_job_may_read_the_service_before_it_starts(recorded: Recording) -> None:
    dependencies = recorded.one(JOB).dependencies
    for ending in ("v1:ServiceAccount", "v1:Role", "v1:RoleBinding"):
        assert recorded.one(ending).urn in dependencies


def test_foreign_patch_of_the_serve_config_is_overruled(recorded: Recording) -> None:
    assert annotations(recorded.one(RAY_SERVICE))["pulumi.com/patchForce"] == "true"


def test_job_that_a_killed_up_left_behind_is_taken_over(recorded: Recording) -> None:
    assert annotations(recorded.one(JOB))["pulumi.com/patchForce"] == "true"


def test_deleting_a_job_does_not_wait_for_its_pod(recorded: Recording) -> None:
    annotation = "pulumi.com/deletionPropagationPolicy"
    assert annotations(recorded.one(JOB))[annotation] == "background"
    # But the RayService has to be gone before its nodes are deleted.
    assert annotation not in annotations(recorded.one(RAY_SERVICE))


def test_the_ray_service_names_the_job_that_asks_about_it(recorded: Recording) -> None:
    job = recorded.one(JOB).inputs["metadata"]["name"]
    assert annotations(recorded.one(RAY_SERVICE))["ray-llm/smoke-test-job"] == job


def test_edited_model_is_a_new_job_and_the_same_ray_service(record: Record, plan: Plan) -> None:
    edited = replace(plan, models=(replace(plan.models[0], max_model_len=1024), *plan.models[1:]))
    before, after = record(service_of(plan)), record(service_of(edited))
    assert before.one(RAY_SERVICE).urn == after.one(RAY_SERVICE).urn
    metadata = [run.one(RAY_SERVICE).inputs["metadata"] for run in (before, after)]
    assert metadata[0]["name"] == metadata[1]["name"]
    names = [run.one(JOB).inputs["metadata"]["name"] for run in (before, after)]
    assert names[0] != names[1]
    assert after.one(JOB).delete_before_replace


def test_failed_job_is_asked_again(recorded: Recording) -> None:
    assert annotations(recorded.one(JOB))["pulumi.com/replaceUnready"] == "true"


def test_token_is_a_secret_all_the_way(recorded: Recording) -> None:
    secret = recorded.one("core/v1:Secret")
    assert secret.inputs["stringData"] == {"token": TOKEN}
    raw = json.loads(secret.raw)["stringData"]
    assert SECRET_MARK in json.dumps(raw)
    # The API server always answers with the token in `data`, so the SDK marks both fields.
    assert {"data", "stringData"} <= set(secret.additional_secret_outputs)


def test_only_the_secret_holds_the_token(recorded: Recording) -> None:
    holders = [item.name for item in recorded.registrations if TOKEN in item.raw]
    assert holders == ["llm-hugging-face-token"]


def test_plain_text_token_becomes_a_secret(record: Record, plan: Plan) -> None:
    secret = record(service_of(plan, hugging_face_token=TOKEN)).one("core/v1:Secret")
    assert SECRET_MARK in json.dumps(json.loads(secret.raw)["stringData"])


def test_token_is_no_part_of_the_outputs(record: Record, plan: Plan) -> None:
    def program() -> object:
        service = RayLlmService(
            "llm", RayLlmServiceArgs(manifests=service_manifests(plan), hugging_face_token=TOKEN)
        )
        return [service.endpoints, service.port_forward, service.first_curl, service.dashboard]

    assert TOKEN not in str(record(program).result)


def test_without_a_token_there_is_no_secret(record: Record) -> None:
    plan = plan_of(
        has_hugging_face_token=False, models=(ModelDeployment(model="qwen2.5-0.5b-instruct"),)
    )
    assert record(service_of(plan, hugging_face_token=None)).of_type("core/v1:Secret") == []


def test_forgotten_token_is_refused(plan: Plan) -> None:
    with pytest.raises(ValueError, match="RayLlmService llm: the plan counts on a Hugging Face"):
        RayLlmService("llm", RayLlmServiceArgs(manifests=service_manifests(plan)))


def test_existing_namespace_is_used_and_not_created(record: Record, plan: Plan) -> None:
    recording = record(service_of(plan, create_namespace=False))
    assert recording.of_type("core/v1:Namespace") == []
    assert recording.one(RAY_SERVICE).inputs["metadata"]["namespace"] == "ai"


def test_two_services_live_in_one_program(record: Record, plan: Plan) -> None:
    other = replace(plan, service=replace(plan.service, name="llm-canary", namespace="ai-canary"))

    def program() -> None:
        RayLlmService(
            "llm", RayLlmServiceArgs(manifests=service_manifests(plan), hugging_face_token=TOKEN)
        )
        RayLlmService(
            "canary",
            RayLlmServiceArgs(manifests=service_manifests(other), hugging_face_token=TOKEN),
        )

    recording = record(program)
    urns = [item.urn for item in recording.registrations]
    assert len(urns) == len(set(urns))
    objects = [
        (item.type, item.inputs["metadata"].get("namespace"), item.inputs["metadata"]["name"])
        for item in recording.registrations
        if "metadata" in item.inputs
    ]
    assert len(objects) == len(set(objects))
    assert len(children(recording, "llm")) == len(children(recording, "canary"))
