"""The Job around the script: its name, what it may see and how it ends."""

import ast
import json
from dataclasses import replace

import yaml

from manifests.config_maps import config_maps
from manifests.smoke_test import script
from manifests.smoke_test.job import ask_models_access, ask_models_job, configuration_hash
from planning import Plan
from tests.manifests.plans import model, plan, pool, t4_model, tensor_parallel_model


def test_the_name_holds_a_hash_of_what_is_deployed() -> None:
    made = plan()
    assert ask_models_job(made)["metadata"]["name"] == f"ask-models-{configuration_hash(made)}"
    assert configuration_hash(plan()) == configuration_hash(made)
    assert len(configuration_hash(made)) == 10


def test_every_change_of_the_service_asks_again() -> None:
    hashes = {
        configuration_hash(other)
        for other in (
            plan(),
            plan((t4_model(), model(max_model_len=1024), tensor_parallel_model())),
            plan(pools=(*plan().pools, pool("l4", id="l4-second"))),
            plan((model(),), ray="2.60.0"),
            with_kuberay(plan(), "1.4.2"),
        )
    }
    assert len(hashes) == 5


def with_kuberay(made: Plan, version: str) -> Plan:
    kuberay = made.release.kuberay.model_copy(update={"version": version})
    return replace(made, release=replace(made.release, kuberay=kuberay))


def test_what_does_not_reach_the_service_does_not_ask_again() -> None:
    made = plan()
    renamed = replace(made, stack="other", has_hugging_face_token=False)
    assert configuration_hash(renamed) == configuration_hash(made)


def test_it_mounts_the_config_map_of_every_family() -> None:
    made = plan()
    [volume] = ask_models_job(made)["spec"]["template"]["spec"]["volumes"]
    mounted = [source["configMap"]["name"] for source in volume["projected"]["sources"]]
    assert mounted == [item["metadata"]["name"] for item in config_maps(made)]


def test_its_environment_is_what_the_script_reads() -> None:
    [container] = ask_models_job(plan())["spec"]["template"]["spec"]["containers"]
    settings = script.Settings.from_env({item["name"]: item["value"] for item in container["env"]})
    assert settings.serve_url == "http://llm-serving-serve-svc.ai:8000"
    assert settings.dashboard_url == "http://llm-serving-head-svc.ai:8265"
    assert settings.cluster_dashboard_url.format(cluster="llm-serving-x7k2p") == (
        "http://llm-serving-x7k2p-head-svc.ai:8265"
    )
    assert str(settings.configs) == container["volumeMounts"][0]["mountPath"]


def test_it_knows_its_own_name_and_the_labels_of_its_kind() -> None:
    job = ask_models_job(plan())
    [container] = job["spec"]["template"]["spec"]["containers"]
    settings = script.Settings.from_env({item["name"]: item["value"] for item in container["env"]})
    assert settings.job_name == job["metadata"]["name"]
    selected = dict(item.split("=") for item in settings.job_labels.split(","))
    assert selected == job["metadata"]["labels"]
    assert selected["app.kubernetes.io/instance"] == "llm-serving"
    assert selected["app.kubernetes.io/component"] == "ask-models"


def test_kubernetes_leaves_the_script_as_it_is() -> None:
    [container] = ask_models_job(plan())["spec"]["template"]["spec"]["containers"]
    [python, flag, text] = container["command"]
    assert (python, flag) == ("python3", "-c")
    assert "$(" not in text  # Kubernetes would put a variable there
    assert "$$" not in text
    ast.parse(text, feature_version=(3, 9))


def test_it_ends_by_itself_before_kubernetes_ends_it_and_is_not_tried_twice() -> None:
    spec = ask_models_job(plan())["spec"]
    [container] = spec["template"]["spec"]["containers"]
    deadline = next(item for item in container["env"] if item["name"] == "DEADLINE_SECONDS")
    assert float(deadline["value"]) < spec["activeDeadlineSeconds"]
    assert spec["backoffLimit"] == 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    # A finished Job that removed itself would be created anew by the next `up`.
    assert "ttlSecondsAfterFinished" not in spec


def test_it_runs_on_the_cpu_pool() -> None:
    pod = ask_models_job(plan())["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"cloud.google.com/gke-nodepool": "app-pool"}
    assert "nvidia.com/gpu" not in json.dumps(pod["containers"])


def test_it_may_do_what_the_script_does_and_nothing_else() -> None:
    account, role, binding = ask_models_access(plan())
    assert role["rules"] == [
        {
            "apiGroups": ["ray.io"],
            "resources": ["rayservices"],
            "resourceNames": ["llm-serving"],
            "verbs": ["get"],
        },
        {"apiGroups": ["ray.io"], "resources": ["rayclusters"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "delete"]},
    ]
    assert binding["subjects"][0]["name"] == account["metadata"]["name"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    job = ask_models_job(plan())
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == account["metadata"]["name"]


def test_objects_share_no_part_that_someone_could_change_in_both() -> None:
    account, role, _ = ask_models_access(plan())
    account["metadata"]["labels"]["changed"] = "yes"
    assert "changed" not in role["metadata"]["labels"]


def test_it_is_plain_yaml() -> None:
    job = ask_models_job(plan())
    assert yaml.safe_load(yaml.safe_dump(job)) == job
