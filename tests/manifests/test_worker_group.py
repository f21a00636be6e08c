"""Worker groups as bash, KubeRay and the autoscaler of Ray 2.49.1 read them."""

import json
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from manifests.ray_service import ray_cluster_config
from manifests.worker_group import gpu_worker_group, quoted_resources, router_group
from tests.manifests.plans import model, plan, pool


def groups() -> list[dict[str, Any]]:
    made = plan()
    return [router_group(made), *(gpu_worker_group(made, item) for item in made.pools)]


def container(group: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = group["template"]["spec"]["containers"][0]
    return found


def env(group: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item for item in container(group)["env"]}


def read_by_bash(value: str) -> Any:
    """The argument of `ray start`: KubeRay writes --key=value into a command line for bash."""
    done = subprocess.run(
        ["bash", "-c", f"printf %s --resources={value}"], capture_output=True, check=True, text=True
    )
    return json.loads(done.stdout.removeprefix("--resources="))


def read_by_kuberay(value: str) -> Any:
    """As getResourcesMap in KubeRay's pod.go, which trims quotes and spaces, then parses."""
    return json.loads(value.strip("'\"` "))


def read_by_autoscaler(value: str) -> Any:
    """As _get_custom_resources of Ray 2.49.1, which cuts both ends and expects integers."""
    resources = json.loads(value[1:-1].replace("\\", ""))
    assert all(type(amount) is int for amount in resources.values())
    return resources


READERS = [read_by_bash, read_by_kuberay, read_by_autoscaler]


@pytest.mark.parametrize("read", READERS)
def test_resources_are_quoted_so_that_bash_kuberay_and_the_autoscaler_read_them(read: Any) -> None:
    assert quoted_resources({"l4-x2": 2}) == "'{\"l4-x2\": 2}'"
    for group in groups():
        params = group["rayStartParams"]
        amount = 8 if group["groupName"] == "routers" else int(params["num-gpus"])
        assert read(params["resources"]) == {group["groupName"]: amount}


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (read_by_kuberay, '"{\\"l4\\": 1}"'),  # the guide's quoting
        (read_by_bash, '{"l4": 1}'),
        (read_by_autoscaler, '{"l4": 1}'),
    ],
)
def test_the_other_ways_of_quoting_break_one_of_the_readers(read: Any, value: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        read(value)


def test_ray_start_params_are_text_because_the_api_server_refuses_numbers() -> None:
    for group in groups():
        assert all(type(value) is str for value in group["rayStartParams"].values())


def test_cpus_and_gpus_are_said_so_that_the_autoscaler_can_start_a_group_at_zero() -> None:
    made = plan()
    group = gpu_worker_group(made, made.pool("l4-x2"))
    assert group["rayStartParams"] == {
        "num-cpus": "6",
        "num-gpus": "2",
        "resources": "'{\"l4-x2\": 2}'",
    }
    assert router_group(made)["rayStartParams"]["num-gpus"] == "0"


def test_how_long_idle_workers_stay_is_written_only_where_it_is_not_the_autoscalers() -> None:
    """A field more, though it says the same, would be a second Ray cluster."""
    pools = (pool("l4", idle_timeout_seconds=20), pool("t4"))
    made = plan((model(pool="l4"), model(name="b", pool="t4")), pools)
    cluster = ray_cluster_config(made)
    written = {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    assert written["l4"]["idleTimeoutSeconds"] == 20
    assert "idleTimeoutSeconds" not in written["t4"]
    assert cluster["autoscalerOptions"]["idleTimeoutSeconds"] == pools[1].idle_timeout_seconds


def test_engines_keep_what_they_compile_in_the_claim_of_their_pool() -> None:
    pools = (pool("l4", compile_cache="vllm-cache"), pool("t4"))
    made = plan((model(pool="l4"), model(name="b", pool="t4")), pools)
    kept, usual = (gpu_worker_group(made, item) for item in made.pools)
    [volume] = [
        item
        for item in kept["template"]["spec"]["volumes"]
        if item.get("persistentVolumeClaim") == {"claimName": "vllm-cache"}
    ]
    [mount] = [item for item in container(kept)["volumeMounts"] if item["name"] == volume["name"]]
    assert env(kept)["VLLM_CACHE_ROOT"]["value"] == mount["mountPath"]
    assert not mount.get("readOnly")
    assert env(kept)["VLLM_ENABLE_STARTUP_PLAN"]["value"] == "1"
    assert not {"VLLM_CACHE_ROOT", "VLLM_ENABLE_STARTUP_PLAN"} & env(usual).keys()
    assert len(kept["template"]["spec"]["volumes"]) == 1 + len(usual["template"]["spec"]["volumes"])


def test_the_object_store_is_left_to_ray_and_the_memory_to_kuberay() -> None:
    for group in groups():
        assert "object-store-memory" not in group["rayStartParams"]
        assert "memory" not in group["rayStartParams"]


def test_typed_group_resources_are_not_used_because_2_49_does_not_read_them() -> None:
    for group in groups():
        assert "resources" not in group
        assert "labels" not in group


def numbers(group: dict[str, Any]) -> tuple[int, int, int]:
    return group["replicas"], group["minReplicas"], group["maxReplicas"]


@pytest.mark.parametrize("needed", [0, 1, 3])
def test_gpu_groups_start_with_what_the_minima_need_and_scale_from_zero_to_a_constant(
    needed: int,
) -> None:
    item = pool("l4", nodes_at_min=needed)
    assert numbers(gpu_worker_group(plan(pools=(item,)), item)) == (needed, 0, item.max_workers)


def test_models_of_different_degrees_are_packed_by_the_autoscaler() -> None:
    """Ray Serve would spread them over more of the existing nodes than planned."""
    item = pool("l4-x2", nodes_at_min=3)
    small, large = model("small", "l4-x2"), model("large", "l4-x2", tensor_parallel_size=2)
    for models, workers in (((small,), 3), ((large,), 3), ((small, large), 0)):
        made = plan(pools=(item,), models=models)
        assert gpu_worker_group(made, item)["replicas"] == workers


def test_a_node_that_only_the_pools_minimum_keeps_gets_no_worker() -> None:
    item = pool("l4", min_nodes=4, nodes_at_min=1)
    assert gpu_worker_group(plan(pools=(item,)), item)["replicas"] == 1


@pytest.mark.parametrize(("needed", "started"), [(0, 1), (1, 1), (4, 4)])
def test_routers_start_with_what_the_minima_need(needed: int, started: int) -> None:
    made = plan()
    made = replace(made, router_group=replace(made.router_group, pods_at_min=needed))
    assert router_group(made)["replicas"] == started


def test_routers_keep_one_pod_so_that_waking_a_model_does_not_wait_for_its_image() -> None:
    group = router_group(plan())
    assert numbers(group) == (1, 1, 100)
    assert "nvidia.com/gpu" not in container(group)["resources"]["limits"]
    assert group["template"]["spec"]["nodeSelector"] == {
        "cloud.google.com/gke-nodepool": "app-pool"
    }


def test_requests_equal_limits() -> None:
    for group in groups():
        resources = container(group)["resources"]
        assert resources["requests"] == resources["limits"]
    made = plan()
    assert container(gpu_worker_group(made, made.pool("l4-x2")))["resources"]["limits"] == {
        "cpu": "6",
        "memory": "24Gi",
        "nvidia.com/gpu": "2",
    }


@pytest.mark.parametrize("tier", ["t4", "l4-x2", "a100-80gb-x2", "h100-80gb-x8"])
def test_gpu_pods_select_their_pool_and_tolerate_both_of_its_taints(tier: str) -> None:
    item = pool(tier, spot=True)
    spec = gpu_worker_group(plan(pools=(item,)), item)["template"]["spec"]
    assert spec["nodeSelector"] == {"cloud.google.com/gke-nodepool": f"{tier}-spot"}
    assert spec["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {
            "key": "nvidia.com/gpu-type",
            "operator": "Equal",
            "value": item.tier.gpu,
            "effect": "NoSchedule",
        },
    ]


def test_spot_pods_end_within_the_notice_that_gke_gives_them() -> None:
    made = plan()
    spot = gpu_worker_group(made, made.pool("l4-spot"))["template"]["spec"]
    on_demand = gpu_worker_group(made, made.pool("l4"))["template"]["spec"]
    assert spot["terminationGracePeriodSeconds"] == 15
    assert "terminationGracePeriodSeconds" not in on_demand


def test_restart_policy_is_what_autoscaler_v2_wants() -> None:
    assert {group["template"]["spec"]["restartPolicy"] for group in groups()} == {"Never"}


def test_the_router_timeout_is_set_on_every_pod() -> None:
    for group in groups():
        assert env(group)["RAY_SERVE_LLM_ROUTER_HTTP_TIMEOUT"]["value"] == "1800"


def test_variables_of_the_guide_that_do_harm_or_nothing_are_gone() -> None:
    for group in groups():
        assert not env(group).keys() & {
            "CUDA_VISIBLE_DEVICES",
            "PYTORCH_CUDA_ALLOC_CONF",
            "VLLM_WORKER_MULTIPROC_METHOD",
            "VLLM_USE_V1",
            "RAY_SERVE_REQUEST_PROCESSING_TIMEOUT_S",
        }


def test_the_token_is_a_file_because_ray_shows_the_variable_and_a_file_can_change() -> None:
    made = plan()
    group = gpu_worker_group(made, made.pool("l4"))
    spec = group["template"]["spec"]
    assert not env(group).keys() & {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}
    [mount] = container(group)["volumeMounts"]
    [volume] = spec["volumes"]
    assert env(group)["HF_TOKEN_PATH"]["value"] == f"{mount['mountPath']}/token"
    assert mount["name"] == volume["name"]
    assert volume["secret"] == {"secretName": "huggingface-secret", "optional": True}
    # A subPath would never be updated.
    assert "subPath" not in mount


def test_routers_do_not_see_the_token() -> None:
    spec = router_group(plan())["template"]["spec"]
    assert "volumes" not in spec
    assert "huggingface" not in json.dumps(spec)


def test_the_image_is_pulled_once_a_node() -> None:
    for group in groups():
        assert container(group)["imagePullPolicy"] == "IfNotPresent"
        assert container(group)["image"] == "rayproject/ray-llm:2.49.1-py311-cu128"
