"""The RayService, whose Ray cluster no edit of a model changes."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from manifests.ray_service import ray_cluster_config
from models.catalog.releases import ray_releases
from planning import ModelPlan
from tests.manifests.kuberay_hash import hashed
from tests.manifests.plans import model, plan, pool, replicas, t4_model, tensor_parallel_model
from tests.manifests.written import ray_service

EDITS: dict[str, Callable[[ModelPlan], ModelPlan]] = {
    "name": lambda item: replace(item, name="renamed"),
    "family": lambda item: replace(item, family="other"),
    "source": lambda item: replace(item, source="acme/other"),
    "pool": lambda item: replace(item, pool="l4-x2"),
    "parallelism": lambda item: replace(item, tensor_parallel_size=2, pipeline_parallel_size=2),
    "dtype": lambda item: replace(item, dtype="float32"),
    "quantization": lambda item: replace(item, quantization="awq"),
    "context": lambda item: replace(item, max_model_len=1024),
    "utilization": lambda item: replace(item, gpu_memory_utilization=0.5),
    "batching": lambda item: replace(item, max_num_seqs=1, max_num_batched_tokens=2048),
    "eager": lambda item: replace(item, enforce_eager=True),
    "engine": lambda item: replace(item, engine={"seed": 7}),
    "v0": lambda item: replace(item, v0_engine=not item.v0_engine),
    "replicas": lambda item: replace(item, replicas=replicas(3, 9)),
    "routers": lambda item: replace(item, routers=replicas(3, 9)),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_no_edit_of_a_model_changes_the_ray_cluster(
    edit: Callable[[ModelPlan], ModelPlan],
) -> None:
    made = plan()
    before = json.dumps(ray_cluster_config(made))
    for index, item in enumerate(made.models):
        models = (*made.models[:index], edit(item), *made.models[index + 1 :])
        edited = replace(made, models=models)
        assert json.dumps(ray_cluster_config(edited)) == before
        if edit is not EDITS["family"]:
            assert (
                ray_service(edited)["spec"]["serveConfigV2"]
                != (ray_service(made)["spec"]["serveConfigV2"])
            )


def test_neither_adding_removing_nor_reordering_models_nor_a_token_changes_the_cluster() -> None:
    before = json.dumps(ray_cluster_config(plan()))
    for other in (
        plan((model(),)),
        plan((t4_model(), model(), tensor_parallel_model(), model("fourth"))),
        plan((tensor_parallel_model(), model(), t4_model())),
        replace(plan(), has_hugging_face_token=False),
    ):
        assert json.dumps(ray_cluster_config(other)) == before


def test_other_minima_change_the_numbers_of_workers_and_nothing_that_kuberay_compares() -> None:
    made = plan()
    busier = replace(
        made,
        pools=tuple(replace(item, nodes_at_min=3, nodes_at_max=9) for item in made.pools),
        router_group=replace(made.router_group, pods_at_min=4),
    )
    before, after = ray_cluster_config(made), ray_cluster_config(busier)
    assert [group["replicas"] for group in after["workerGroupSpecs"]] == [4, 3, 3, 3, 3, 3]
    assert hashed(after) == hashed(before)


def test_a_pool_appended_to_the_stack_is_appended_to_the_groups() -> None:
    made = plan()
    longer = replace(made, pools=(*made.pools, pool("h100-80gb-x8", spot=True)))
    before = ray_cluster_config(made)["workerGroupSpecs"]
    after = ray_cluster_config(longer)["workerGroupSpecs"]
    assert json.dumps(after[:-1]) == json.dumps(before)
    assert after[-1]["groupName"] == "h100-80gb-x8-spot"


def test_the_routers_come_first_and_the_pools_in_their_order() -> None:
    names = [group["groupName"] for group in ray_cluster_config(plan())["workerGroupSpecs"]]
    assert names == ["routers", "t4", "l4", "l4-spot", "l4-x2", "a100-80gb-x2"]


def test_what_a_replica_asks_for_is_advertised_by_exactly_one_group() -> None:
    made = plan()
    offered: dict[str, int] = {}
    for group in ray_cluster_config(made)["workerGroupSpecs"]:
        resources = json.loads(group["rayStartParams"]["resources"].strip("'"))
        assert not offered.keys() & resources.keys()
        offered |= resources
    for application in yaml.safe_load(ray_service(made)["spec"]["serveConfigV2"])["applications"]:
        [llm] = application["args"]["llm_configs"]
        for options in (
            llm["deployment_config"]["ray_actor_options"],
            application["deployments"][0]["ray_actor_options"],
        ):
            for name, amount in options["resources"].items():
                assert offered[name] >= amount


def test_what_kuberay_ignores_or_drops_again_is_not_written() -> None:
    # Neither thresholds that no release reads nor a default that the operator removes from the
    # object: the head serves requests unless excludeHeadPodFromServeSvc is true.
    assert ray_service(plan())["spec"].keys() == {
        "upgradeStrategy",
        "serveConfigV2",
        "rayClusterConfig",
    }


def test_the_upgrade_strategy_is_set_on_the_ray_service_if_kuberay_allows_it() -> None:
    spec = ray_service(plan())["spec"]
    assert spec["upgradeStrategy"] == {"type": "NewCluster"}
    assert "upgradeStrategy" not in spec["rayClusterConfig"]


def test_the_autoscaler_is_v2_by_its_field_and_not_by_the_variable_beside_it() -> None:
    cluster = ray_cluster_config(plan())
    assert cluster["enableInTreeAutoscaling"] is True
    assert cluster["autoscalerOptions"]["version"] == "v2"
    assert cluster["autoscalerOptions"]["idleTimeoutSeconds"] >= 0
    assert "RAY_enable_autoscaler_v2" not in json.dumps(cluster)
    templates = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert {item["template"]["spec"]["restartPolicy"] for item in templates} == {"Never"}


def test_the_head_takes_no_work_and_listens_inside_the_cluster_only() -> None:
    head = ray_cluster_config(plan())["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    assert head["serviceType"] == "ClusterIP"
    assert "headService" not in head
    assert "LoadBalancer" not in json.dumps(ray_service(plan()))


def test_the_head_names_all_its_ports_because_kuberay_then_adds_none_but_metrics() -> None:
    [container] = ray_cluster_config(plan())["headGroupSpec"]["template"]["spec"]["containers"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "gcs-server": 6379,
        "dashboard": 8265,
        "client": 10001,
        "serve": 8000,
        "metrics": 8080,
    }


@pytest.mark.parametrize("ray", sorted(ray_releases()))
def test_ray_version_matches_the_image_because_the_probes_depend_on_it(ray: str) -> None:
    cluster = ray_cluster_config(plan((model(),), ray=ray))
    assert cluster["rayVersion"] == ray
    for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        for container in group["template"]["spec"]["containers"]:
            assert container["image"].startswith(f"rayproject/ray-llm:{ray}-")


def test_every_container_says_its_cpus_because_the_autoscaler_raises_without() -> None:
    cluster = ray_cluster_config(plan())
    for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        assert int(group["rayStartParams"]["num-cpus"]) >= 0


def test_groups_have_no_field_of_their_own_that_makes_a_second_cluster_or_is_refused() -> None:
    for group in ray_cluster_config(plan())["workerGroupSpecs"]:
        assert group.keys() == {
            "groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template",
        }  # fmt: skip


def test_the_object_is_named_and_labelled() -> None:
    service = ray_service(plan())
    assert (service["apiVersion"], service["kind"]) == ("ray.io/v1", "RayService")
    metadata: dict[str, Any] = service["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("llm-serving", "ai")
    assert metadata["labels"]["app.kubernetes.io/instance"] == "llm-serving"
    assert set(metadata["annotations"]) == {
        "ray-llm/smoke-test-job",
        "ray-llm/kuberay",
        "ray-llm/node-quota",
    }
