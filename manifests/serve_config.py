"""Writes serveConfigV2: one Ray Serve application and one route for each model.

The LLM configs are inside it, not in mounted files. KubeRay compares only the text of
serveConfigV2, and Ray reads a mounted file once, when it builds the application, so an edited file
would change nothing.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from manifests.smoke_test.script.serve_api import MODEL_DEPLOYMENT
from manifests.yaml_text import Written, yaml_text
from planning import ModelPlan, Plan, Replicas

IMPORT_PATH = "ray.serve.llm:build_openai_app"
# Serve hashes the arguments into the version of an application, and another version restarts it. So
# what changes without a restart is overridden under `deployments`, and these stay for ever.
_IN_ARGUMENTS: Final[Mapping[str, Any]] = {
    "autoscaling_config": {"min_replicas": 0, "initial_replicas": 0, "max_replicas": 1},
    "max_ongoing_requests": 1,
}
_VERSION_DIGITS = 8
# Ray's default. A rollout gives the replicas that it replaces more: rollouts/handover.py.
GRACE_SECONDS = 20
# The router reports its timeout in OpenAI's form, so the proxy's timeout must come later.
PROXY_GRACE_SECONDS = 60
_BUCKET = re.compile(r"(gs|s3)://")


def llm_config(plan: Plan, model: ModelPlan) -> dict[str, Any]:
    """The LLMConfig of one model, as Ray Serve LLM of the plan's release reads it.

    It never holds `num_gpus` (Ray adds it to the engine's GPUs), `accelerator_type` (a group at
    zero does not advertise that resource and would never scale up) or `num_replicas` (ignored).
    """
    config: dict[str, Any] = {
        "model_loading_config": {
            "model_id": model.name,
            "model_source": model.weights_path or _model_source(model.source),
        },
        "deployment_config": {
            "ray_actor_options": _actor_options(plan, model),
            "autoscaling_config": _autoscaling_config(model.replicas),
            "max_ongoing_requests": model.replicas.max_ongoing_requests,
        },
        "engine_kwargs": _engine_kwargs(model),
    }
    if model.lora_path is not None:
        config["lora_config"] = {
            "dynamic_lora_loading_path": model.lora_path,
            "max_num_adapters_per_replica": model.engine["max_cpu_loras"],
        }
    config.update(_placement(plan, model))
    if model.engine.get("disable_log_stats") is True and plan.release.ray.logs_engine_metrics:
        # Ray refuses the argument while this is on, which it is unless it is written.
        config["log_engine_metrics"] = False
    elif (
        plan.monitoring is not None
        and model.has_engine_metrics
        and not plan.release.ray.logs_engine_metrics
    ):
        config["log_engine_metrics"] = True
    if model.v0_engine:
        # Ray passes this to the replica, to the task that makes the engine's config and, because
        # child actors inherit it, to the executor's workers. vLLM 0.10 skips its own check of the
        # GPU in a Ray actor, so leaving the choice to it would start V1 on a T4.
        config["runtime_env"] = {"env_vars": {"VLLM_USE_V1": "0"}}
    return config


def serve_config(plan: Plan, llm_configs: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The whole multi-application config, applications in the order of the stack file.

    llm_configs: the LLM config of each model by served name.
    """
    timeout = plan.service.request_timeout_seconds
    applications = [_application(plan, model, llm_configs[model.name]) for model in plan.models]
    return {
        # A proxy on every node with a replica, so that the Service spreads requests over them.
        "proxy_location": "EveryNode",
        "http_options": {
            "host": "0.0.0.0",  # noqa: S104 - inside a pod, reached through a ClusterIP Service
            "port": plan.service.port,
            "request_timeout_s": timeout + PROXY_GRACE_SECONDS,
        },
        "applications": applications,
    }


def _application(plan: Plan, model: ModelPlan, llm_config: dict[str, Any]) -> dict[str, Any]:
    deployment = llm_config["deployment_config"]
    arguments = yaml_text({**llm_config, "deployment_config": {**deployment, **_IN_ARGUMENTS}})
    return {
        "name": f"{model.name}-{_version(arguments)}",
        "route_prefix": model.route,
        "import_path": IMPORT_PATH,
        "args": {"llm_configs": [Written(arguments)]},
        # Every option that is ever written is always written: Serve keeps one that is taken out.
        "deployments": [
            {
                "name": plan.release.ray.ingress_class,
                # A router asks for one slot only: slots, not CPUs, limit how many share a pod.
                "ray_actor_options": {
                    "num_cpus": 0,
                    "resources": {plan.router_group.resource: 1},
                },
                # Without it Ray runs two routers for each replica of the model.
                "autoscaling_config": _autoscaling_config(model.routers),
                "max_ongoing_requests": model.routers.max_ongoing_requests,
                "graceful_shutdown_timeout_s": GRACE_SECONDS,
            },
            {
                "name": deployment_name(model.name),
                **{option: deployment[option] for option in _IN_ARGUMENTS},
                "graceful_shutdown_timeout_s": GRACE_SECONDS,
            },
        ],
    }


def deployment_name(model: str) -> str:
    """Ray Serve LLM's name for the deployment of a model, in every release of the catalogue."""
    return f"{MODEL_DEPLOYMENT}{model.replace('.', '_')}"


def _version(arguments: str) -> str:
    """A hash of all that restarts the application if it changes.

    As a part of the name it lets an edited model start beside the old one.
    """
    text = f"{IMPORT_PATH}\0{arguments}"
    return hashlib.sha256(text.encode()).hexdigest()[:_VERSION_DIGITS]


def _autoscaling_config(replicas: Replicas) -> dict[str, Any]:
    # All keys, always: Ray's own defaults are max 1 with the block and max 10 without it, and
    # an unknown or forgotten key is not an error. But no `initial_replicas`: Serve goes back to
    # that number at every change of the block, however many replicas are busy by then
    # (`register` in ray/serve/_private/autoscaling_state.py, 2.49.1 to 2.60.0). Without it a
    # deployment starts with its minimum and keeps what runs.
    return {
        "min_replicas": replicas.min,
        "max_replicas": replicas.max,
        "target_ongoing_requests": replicas.target_ongoing_requests,
        "upscale_delay_s": replicas.upscale_delay_seconds,
        "downscale_delay_s": replicas.downscale_delay_seconds,
        "look_back_period_s": replicas.look_back_seconds,
        "metrics_interval_s": replicas.metrics_interval_seconds,
    }


def _model_source(source: str) -> str | dict[str, str]:
    # Ray would take a bucket's URI in plain text for the name of a repository.
    return {"bucket_uri": source} if _BUCKET.match(source) else source


def _actor_options(plan: Plan, model: ModelPlan) -> dict[str, Any]:
    # One CPU for the replica itself: more would compete with the other pods of the node.
    if _pins_each_gpu(plan, model):
        return {"num_cpus": 1}
    return {"num_cpus": 1, "resources": {model.pool: model.gpus_per_replica}}


def _pins_each_gpu(plan: Plan, model: ModelPlan) -> bool:
    # Before placement_group_config existed, Ray packed a pipeline-parallel replica only as well as
    # it could, and the GPUs that carry no resource of the pool could come from another pool.
    return model.pipeline_parallel_size > 1 and plan.release.ray.resources_per_bundle


def _placement(plan: Plan, model: ModelPlan) -> dict[str, Any]:
    """The settings, by Ray release, that keep the GPUs of a replica on one node of its pool."""
    release = plan.release.ray
    gpus = model.gpus_per_replica
    if _pins_each_gpu(plan, model):
        return {"resources_per_bundle": {"GPU": 1, model.pool: 1}}
    if gpus == 1 or not release.placement_group_config:
        return {}
    # Since 2.51 Ray's own choice is PACK, which may split tensor parallelism over two nodes.
    workers: dict[str, Any] = (
        {"bundle_per_worker": {"GPU": 1}}
        if release.bundle_per_worker
        else {"bundles": [{"GPU": 1} for _ in range(gpus)]}
    )
    return {"placement_group_config": {**workers, "strategy": "STRICT_PACK"}}


def _engine_kwargs(model: ModelPlan) -> dict[str, Any]:
    kwargs: dict[str, Any] = {"tensor_parallel_size": model.tensor_parallel_size}
    if model.pipeline_parallel_size > 1:
        kwargs["pipeline_parallel_size"] = model.pipeline_parallel_size
    kwargs["dtype"] = model.dtype
    if model.quantization is not None:
        kwargs["quantization"] = model.quantization
    kwargs["max_model_len"] = model.max_model_len
    kwargs["gpu_memory_utilization"] = model.gpu_memory_utilization
    kwargs["max_num_seqs"] = model.max_num_seqs
    kwargs["max_num_batched_tokens"] = model.max_num_batched_tokens
    if model.enforce_eager:
        kwargs["enforce_eager"] = True
    if model.asks_prefix_caching:
        kwargs["enable_prefix_caching"] = True
    kwargs.update(_plain(model.task_arguments))
    kwargs.update(_plain(model.engine))
    return kwargs


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
