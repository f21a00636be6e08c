"""The Job of the smoke test: its name, script, permissions and end."""

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from manifests import Manifest, service_manifests
from manifests.smoke_test import script_files
from manifests.smoke_test.script.settings import JOB_ANNOTATION, Settings
from planning import Plan
from tests.manifests.plans import model, plan, pool, t4_model, tensor_parallel_model
from tests.manifests.written import config_maps, smoke_test_job


def name_of(made: Plan) -> str:
    name: str = smoke_test_job(made)["metadata"]["name"]
    return name


def container_of(job: Manifest) -> Manifest:
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def settings_of(job: Manifest) -> Settings:
    return Settings.from_env({item["name"]: item["value"] for item in container_of(job)["env"]})


def test_the_name_holds_a_hash_of_what_is_deployed() -> None:
    prefix, _, digest = name_of(plan()).rpartition("-")
    assert (prefix, len(digest)) == ("smoke-test", 10)
    assert name_of(plan()) == name_of(plan())


def test_every_change_of_the_service_asks_again() -> None:
    names = {
        name_of(other)
        for other in (
            plan(),
            plan((t4_model(), model(max_model_len=1024), tensor_parallel_model())),
            plan(pools=(*plan().pools, pool("l4", id="l4-second"))),
            plan((model(),), ray="2.60.0"),
            with_kuberay(plan(), "1.4.2"),
        )
    }
    assert len(names) == 5


def test_another_script_asks_again_and_has_a_config_map_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = service_manifests(plan()).smoke_test
    changed = {**script_files.script_files(), "main.py": "raise SystemExit"}
    monkeypatch.setattr(script_files, "script_files", lambda: changed)
    after = service_manifests(plan()).smoke_test
    assert before.script["metadata"]["name"] != after.script["metadata"]["name"]
    assert before.job["metadata"]["name"] != after.job["metadata"]["name"]


def test_the_ray_service_names_its_job() -> None:
    made = service_manifests(plan())
    annotations = made.ray_service["metadata"]["annotations"]
    assert annotations[JOB_ANNOTATION] == made.smoke_test.job["metadata"]["name"]


def with_kuberay(made: Plan, version: str) -> Plan:
    kuberay = made.release.kuberay.model_copy(update={"version": version})
    return replace(made, release=replace(made.release, kuberay=kuberay))


def test_what_does_not_reach_the_service_does_not_ask_again() -> None:
    made = plan()
    renamed = replace(made, stack="other", has_hugging_face_token=False)
    assert name_of(renamed) == name_of(made)


def test_it_mounts_the_config_map_of_every_family() -> None:
    made = plan()
    volume = smoke_test_job(made)["spec"]["template"]["spec"]["volumes"][0]
    mounted = [source["configMap"]["name"] for source in volume["projected"]["sources"]]
    assert mounted == [item["metadata"]["name"] for item in config_maps(made)]


def test_its_environment_is_what_the_script_reads() -> None:
    job = smoke_test_job(plan())
    settings = settings_of(job)
    assert settings.serve_url == "http://llm-serving-serve-svc.ai:8000"
    assert settings.dashboard_url == "http://llm-serving-head-svc.ai:8265"
    assert settings.cluster_dashboard_url.format(cluster="llm-serving-x7k2p") == (
        "http://llm-serving-x7k2p-head-svc.ai:8265"
    )
    assert str(settings.configs) == container_of(job)["volumeMounts"][0]["mountPath"]


def test_it_knows_its_own_name_and_the_labels_of_its_kind() -> None:
    job = smoke_test_job(plan())
    settings = settings_of(job)
    assert settings.job_name == job["metadata"]["name"]
    # Stacks that were deployed with the test's former name may have Jobs left by a killed update.
    assert settings.job_labels == (
        "app.kubernetes.io/name=ray-llm,app.kubernetes.io/instance=llm-serving,"
        "app.kubernetes.io/managed-by=pulumi,"
        "app.kubernetes.io/component in (smoke-test,ask-models)"
    )
    assert job["metadata"]["labels"] == {
        "app.kubernetes.io/name": "ray-llm",
        "app.kubernetes.io/instance": "llm-serving",
        "app.kubernetes.io/managed-by": "pulumi",
        "app.kubernetes.io/component": "smoke-test",
    }


def test_its_command_starts_the_mounted_script(tmp_path: Path) -> None:
    made = service_manifests(plan()).smoke_test
    container = container_of(made.job)
    volume = made.job["spec"]["template"]["spec"]["volumes"][1]
    assert volume["configMap"]["name"] == made.script["metadata"]["name"]
    mount = container["volumeMounts"][1]
    assert mount["name"] == volume["name"]
    for item in volume["configMap"]["items"]:
        path = tmp_path / item["path"]
        path.parent.mkdir(exist_ok=True)
        path.write_text(made.script["data"][item["key"]])
    mounted = [part.replace(mount["mountPath"], str(tmp_path)) for part in container["command"]]
    done = subprocess.run(
        [sys.executable, "-I", *mounted[1:]], env={}, capture_output=True, text=True, timeout=60
    )
    assert "KeyError: 'LLM_CONFIGS'" in done.stderr  # it runs but lacks its environment


@pytest.mark.parametrize("name", script_files.script_files())
def test_the_script_is_written_for_the_oldest_python_of_the_images(name: str) -> None:
    ast.parse(script_files.script_files()[name], feature_version=(3, 9))


def test_only_the_repairs_change_anything() -> None:
    changing = {
        name
        for name, text in script_files.script_files().items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and node.value in ("PUT", "PATCH", "DELETE")
    }
    assert changing == {"repairs.py"}


def test_kubernetes_leaves_the_command_as_it_is() -> None:
    command = " ".join(container_of(smoke_test_job(plan()))["command"])
    assert "$" not in command  # Kubernetes would put a variable there


def test_it_ends_by_itself_before_kubernetes_ends_it_and_is_not_tried_twice() -> None:
    job = smoke_test_job(plan())
    spec, container = job["spec"], container_of(job)
    deadline = next(item for item in container["env"] if item["name"] == "DEADLINE_SECONDS")
    assert float(deadline["value"]) < spec["activeDeadlineSeconds"]
    assert spec["backoffLimit"] == 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    # If a finished Job removed itself, the next `up` would create it again.
    assert "ttlSecondsAfterFinished" not in spec


def test_it_runs_on_the_cpu_pool() -> None:
    pod = smoke_test_job(plan())["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"cloud.google.com/gke-nodepool": "app-pool"}
    assert "nvidia.com/gpu" not in json.dumps(pod["containers"])


def test_it_may_do_what_the_script_does_and_nothing_else() -> None:
    made = service_manifests(plan()).smoke_test
    account, role, binding = made.service_account, made.role, made.role_binding
    assert role["rules"] == [
        {
            "apiGroups": ["ray.io"],
            "resources": ["rayservices"],
            "resourceNames": ["llm-serving"],
            "verbs": ["get"],
        },
        {"apiGroups": ["ray.io"], "resources": ["rayclusters"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "delete"]},
    ]
    assert binding["subjects"][0]["name"] == account["metadata"]["name"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    pod = made.job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == account["metadata"]["name"]


def test_no_right_to_create_names_its_objects_because_kubernetes_never_grants_that() -> None:
    """The name of an object is not known when it is created, so `resourceNames` rules it out."""
    for rule in service_manifests(plan()).smoke_test.role["rules"]:
        assert "create" not in rule["verbs"] or "resourceNames" not in rule


def test_objects_share_no_part_that_someone_could_change_in_both() -> None:
    made = service_manifests(plan()).smoke_test
    made.service_account["metadata"]["labels"]["changed"] = "yes"
    assert "changed" not in made.role["metadata"]["labels"]


def test_it_is_plain_yaml() -> None:
    job = smoke_test_job(plan())
    assert yaml.safe_load(yaml.safe_dump(job)) == job


def test_without_a_cpu_pool_it_runs_on_any_node_without_a_gpu() -> None:
    made = plan()
    unnamed = replace(made.cluster.cpu_pool, name="")
    service = service_manifests(replace(made, cluster=replace(made.cluster, cpu_pool=unnamed)))
    cluster = service.ray_service["spec"]["rayClusterConfig"]
    for pod in (
        service.smoke_test.job["spec"]["template"],
        cluster["headGroupSpec"]["template"],
        cluster["workerGroupSpecs"][0]["template"],
    ):
        assert "nodeSelector" not in pod["spec"]
