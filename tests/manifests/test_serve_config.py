"""The serve config, compared with the fields of the Ray releases that read it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests.serve_config import llm_config
from models.catalog.releases import ray_releases
from planning import ModelPlan
from tests.manifests.plans import model, plan, replicas, t4_model, tensor_parallel_model
from tests.manifests.written import serve_config, serve_config_text, served_llm_configs

RAY_FIELDS = json.loads((Path(__file__).parent / "ray_fields.json").read_text())


def config_of(item: Any, ray: str = "2.49.1") -> dict[str, Any]:
    made = plan((item,), ray=ray)
    return llm_config(made, made.models[0])


def unknown_keys(ray: str, config: dict[str, Any]) -> list[str]:
    """Keys of a serve config that this Ray would ignore or refuse."""
    known = {name: set(row["fields"]) for name, row in RAY_FIELDS[ray].items()}
    found: list[str] = []

    def check(name: str, value: dict[str, Any]) -> None:
        found.extend(f"{name}.{key}" for key in value if key not in known[name])

    def check_deployment(name: str, value: dict[str, Any]) -> None:
        check(name, {key: item for key, item in value.items() if key != "ray_actor_options"})
        check("RayActorOptionsSchema", value.get("ray_actor_options", {}))
        check("AutoscalingConfig", value["autoscaling_config"])

    check("ServeDeploySchema", config)
    check("HTTPOptionsSchema", config["http_options"])
    for application in config["applications"]:
        check("ServeApplicationSchema", application)
        for deployment in application["deployments"]:
            check_deployment("DeploymentSchema", deployment)
        for llm in application["args"]["llm_configs"]:
            check("LLMConfig", llm)
            check("ModelLoadingConfig", llm["model_loading_config"])
            check_deployment("DeploymentConfig", llm["deployment_config"])
            if isinstance(llm["model_loading_config"]["model_source"], dict):
                check("CloudMirrorConfig", llm["model_loading_config"]["model_source"])
            if "placement_group_config" in llm:
                check("PlacementGroupConfig", llm["placement_group_config"])
    return found


@pytest.mark.parametrize("ray", sorted(RAY_FIELDS))
def test_every_key_is_a_field_of_ray_which_ignores_unknown_ones(ray: str) -> None:
    v0 = ray_releases()[ray].supports_v0_engine
    made = plan(
        (
            t4_model(v0_engine=v0),
            model("bucket", source="gs://acme-models/mine"),
            tensor_parallel_model(pipeline_parallel_size=2, tensor_parallel_size=1),
            tensor_parallel_model(name="llama-tp"),
        ),
        ray=ray,
    )
    assert unknown_keys(ray, serve_config(made)) == []


def test_the_check_of_keys_finds_a_misspelt_one() -> None:
    config = serve_config(plan())
    config["http_option"] = config["http_options"]
    config["applications"][0]["deployments"][0]["autoscaling_config"]["min_replica"] = 1
    assert unknown_keys("2.49.1", config) == [
        "ServeDeploySchema.http_option",
        "AutoscalingConfig.min_replica",
    ]


@pytest.mark.parametrize("ray", sorted(RAY_FIELDS))
def test_the_override_names_the_ingress_class_of_the_release(ray: str) -> None:
    deployment = serve_config(plan((model(),), ray=ray))["applications"][0]["deployments"][0]
    assert deployment["name"] in RAY_FIELDS[ray]
    assert deployment["name"] == ("LLMRouter" if ray == "2.49.1" else "OpenAiIngress")


def test_the_text_reads_back_to_the_same_object() -> None:
    made = plan()
    assert yaml.safe_load(serve_config_text(made)) == serve_config(made)


def test_each_model_is_an_application_with_a_route_of_its_own() -> None:
    applications = serve_config(plan())["applications"]
    names = [(app["name"].rpartition("-")[0], app["route_prefix"]) for app in applications]
    assert names == [
        ("qwen2.5-0.5b-instruct", "/qwen2.5-0.5b-instruct"),
        ("qwen2.5-7b-instruct", "/qwen2.5-7b-instruct"),
        ("llama-70b", "/llama-70b"),
    ]
    assert {app["import_path"] for app in applications} == {"ray.serve.llm:build_openai_app"}


def test_llm_configs_are_inlined_because_ray_and_kuberay_do_not_see_an_edited_file() -> None:
    made = plan()
    assert served_llm_configs(made) == {item.name: llm_config(made, item) for item in made.models}
    edited = plan((t4_model(), model(max_model_len=8192), tensor_parallel_model()))
    assert serve_config_text(edited) != serve_config_text(made)


def test_num_gpus_is_never_asked_for_because_ray_adds_it_to_the_engines_gpus() -> None:
    assert "num_gpus" not in serve_config_text(plan())


def test_accelerator_type_is_left_out_because_a_group_at_zero_does_not_advertise_it() -> None:
    assert "accelerator_type" not in serve_config_text(plan())


def test_num_replicas_is_left_out_because_ray_ignores_it_and_uses_the_range() -> None:
    text = serve_config_text(plan((model(replicas=replicas(2, 2)),)))
    assert "num_replicas" not in text
    scaling = config_of(model(replicas=replicas(2, 2)))["deployment_config"]["autoscaling_config"]
    assert (scaling["min_replicas"], scaling["max_replicas"]) == (2, 2)


def test_the_whole_range_is_written_without_a_number_to_which_serve_would_go_back() -> None:
    range_ = replicas(0, 3)
    made = plan((model(replicas=range_, routers=range_),))
    for deployment in (
        config_of(model(replicas=range_))["deployment_config"],
        *serve_config(made)["applications"][0]["deployments"],
    ):
        assert deployment["autoscaling_config"] == {
            "min_replicas": 0,
            "max_replicas": 3,
            "target_ongoing_requests": 50,
            "upscale_delay_s": 30,
            "downscale_delay_s": 600,
            "look_back_period_s": 30,
            "metrics_interval_s": 1,
        }
        assert deployment["max_ongoing_requests"] == 80


def test_a_replica_asks_its_pools_resource_for_as_many_as_it_takes_gpus() -> None:
    assert config_of(model())["deployment_config"]["ray_actor_options"] == {
        "num_cpus": 1,
        "resources": {"l4": 1},
    }
    options = config_of(tensor_parallel_model())["deployment_config"]["ray_actor_options"]
    assert options == {"num_cpus": 1, "resources": {"a100-80gb-x2": 2}}


def test_placement_groups_stay_out_of_deployment_config_where_ray_refuses_them() -> None:
    for ray in ray_releases():
        deployment = config_of(tensor_parallel_model(), ray)["deployment_config"]
        assert not [key for key in deployment if key.startswith("placement_group")]
        assert "max_replicas_per_node" not in deployment


def test_tensor_parallel_gpus_stay_on_one_node_in_every_release() -> None:
    placements = {
        ray: config_of(tensor_parallel_model(), ray).get("placement_group_config")
        for ray in ray_releases()
    }
    assert placements["2.49.1"] is None  # STRICT_PACK by itself
    assert placements["2.51.2"] == {"bundles": [{"GPU": 1}, {"GPU": 1}], "strategy": "STRICT_PACK"}
    assert placements["2.60.0"] == {"bundle_per_worker": {"GPU": 1}, "strategy": "STRICT_PACK"}


def test_pipeline_parallel_gpus_come_from_the_models_own_pool() -> None:
    config = config_of(tensor_parallel_model(tensor_parallel_size=1, pipeline_parallel_size=2))
    assert config["resources_per_bundle"] == {"GPU": 1, "a100-80gb-x2": 1}
    assert config["deployment_config"]["ray_actor_options"] == {"num_cpus": 1}
    assert config["engine_kwargs"]["pipeline_parallel_size"] == 2


def test_routers_take_slots_of_their_own_group_and_so_never_a_gpu_node() -> None:
    for application in serve_config(plan())["applications"]:
        assert application["deployments"][0]["ray_actor_options"] == {
            "num_cpus": 0,
            "resources": {"routers": 1},
        }


def test_v0_is_set_for_v0_models_only_and_through_the_llm_config() -> None:
    assert config_of(t4_model())["runtime_env"] == {"env_vars": {"VLLM_USE_V1": "0"}}
    assert "runtime_env" not in config_of(model())


def test_prefix_caching_is_written_where_the_plan_asks_for_it() -> None:
    assert config_of(t4_model())["engine_kwargs"]["enable_prefix_caching"] is True
    without = config_of(t4_model(asks_prefix_caching=False))
    assert "enable_prefix_caching" not in without["engine_kwargs"]
    assert "enable_prefix_caching" not in config_of(model())["engine_kwargs"]


def test_engine_arguments_are_the_plans_and_nothing_else() -> None:
    assert config_of(model())["engine_kwargs"] == {
        "tensor_parallel_size": 1,
        "dtype": "bfloat16",
        "max_model_len": 16384,
        "gpu_memory_utilization": 0.9,
        "max_num_seqs": 64,
        "max_num_batched_tokens": 8192,
    }
    quantized = config_of(model(quantization="awq", enforce_eager=True))["engine_kwargs"]
    assert quantized["quantization"] == "awq"
    assert quantized["enforce_eager"] is True


def test_the_users_engine_arguments_are_passed_on_and_win() -> None:
    rope = {"rope_type": "yarn", "factor": 4.0}
    item = t4_model(engine={"rope_scaling": rope, "enable_prefix_caching": False})
    engine = config_of(item)["engine_kwargs"]
    assert engine["rope_scaling"] == rope
    assert engine["rope_scaling"] is not rope
    assert engine["enable_prefix_caching"] is False


def test_nothing_of_the_token_enters_the_serve_config() -> None:
    text = serve_config_text(plan())
    assert "HF_TOKEN" not in text
    assert "HUGGING_FACE" not in text
    assert serve_config_text(replace(plan(), has_hugging_face_token=False)) == text


def test_a_bucket_is_a_mirror_because_ray_takes_its_text_for_a_repository() -> None:
    loading = config_of(model(source="gs://acme-models/mine"))["model_loading_config"]
    assert loading["model_source"] == {"bucket_uri": "gs://acme-models/mine"}
    assert config_of(model(source="/models/mine"))["model_loading_config"]["model_source"] == (
        "/models/mine"
    )


def test_the_proxy_waits_longer_than_the_router_whose_answer_has_the_right_form() -> None:
    made = plan()
    options = serve_config(made)["http_options"]
    assert options["request_timeout_s"] > made.service.request_timeout_seconds
    assert (options["host"], options["port"]) == ("0.0.0.0", 8000)


def test_unhealthy_thresholds_and_dead_variables_of_the_guide_are_gone() -> None:
    text = serve_config_text(plan())
    for dead in (
        "RAY_SERVE_ENABLE_EXPERIMENTAL_STREAMING",
        "RAY_SERVE_REQUEST_PROCESSING_TIMEOUT_S",
        "VLLM_WORKER_MULTIPROC_METHOD",
        "trust_remote_code",
        "disable_custom_all_reduce",
    ):
        assert dead not in text


def test_writing_does_not_depend_on_the_order_in_which_a_user_wrote_the_pools() -> None:
    made = plan()
    assert serve_config_text(replace(made, pools=made.pools[::-1])) == serve_config_text(made)


@pytest.mark.parametrize("ray", sorted(ray_releases()))
def test_rays_engine_metrics_go_where_it_refuses_them_without_the_engines_statistics(
    ray: str,
) -> None:
    off = config_of(model(engine={"disable_log_stats": True}), ray)
    refuses = ray_releases()[ray].logs_engine_metrics
    assert off.get("log_engine_metrics") == (False if refuses else None)
    assert off["engine_kwargs"]["disable_log_stats"] is True
    assert "log_engine_metrics" not in config_of(model(engine={"disable_log_stats": False}), ray)


def only_application(item: ModelPlan) -> dict[str, Any]:
    [application] = serve_config(plan((item,)))["applications"]
    return dict(application)


@pytest.mark.parametrize(
    "scaled",
    [
        {"replicas": replicas(0, 9)},
        {"replicas": replicas(target_ongoing_requests=7)},
        {"replicas": replicas(max_ongoing_requests=99)},
        {"replicas": replicas(upscale_delay_seconds=1)},
        {"replicas": replicas(downscale_delay_seconds=1)},
        {"replicas": replicas(look_back_seconds=12)},
        {"replicas": replicas(metrics_interval_seconds=10)},
        {"routers": replicas(2, 3)},
    ],
    ids=lambda scaled: "-".join(str(value) for value in scaled),
)
def test_what_scales_a_model_restarts_nothing(scaled: dict[str, Any]) -> None:
    """Serve hashes `args` into the version of an application, and restarts another version."""
    before, after = only_application(model()), only_application(model(**scaled))
    assert before != after
    for key in ("name", "args", "route_prefix", "import_path"):
        assert before[key] == after[key]


@pytest.mark.parametrize(
    "edit",
    [
        {"source": "acme/other"},
        {"dtype": "float16"},
        {"max_model_len": 1024},
        {"max_num_seqs": 8},
        {"engine": {"seed": 1}},
        {"tensor_parallel_size": 2},
        {"pool": "t4"},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_what_restarts_a_model_is_another_application_on_the_same_route(
    edit: dict[str, Any],
) -> None:
    before, after = only_application(model()), only_application(model(**edit))
    assert before["args"] != after["args"]
    assert before["name"] != after["name"]
    assert before["route_prefix"] == after["route_prefix"]


def test_a_model_with_a_dot_in_its_name_is_overridden_by_rays_name_for_it() -> None:
    application = only_application(model("qwen2.5"))
    assert application["deployments"][1]["name"] == "LLMServer:qwen2_5"
