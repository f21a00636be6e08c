"""The single objects of a plan, as `service_manifests` writes them."""

from typing import Any

import yaml

from manifests import Manifest, service_manifests
from planning import Plan


def ray_service(plan: Plan) -> Manifest:
    return service_manifests(plan).ray_service


def serve_config_text(plan: Plan) -> str:
    text: str = ray_service(plan)["spec"]["serveConfigV2"]
    return text


def serve_config(plan: Plan) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(serve_config_text(plan))
    return config


def served_llm_configs(plan: Plan) -> dict[str, dict[str, Any]]:
    """The LLM config of each model by its route, with the options that Serve takes in its place."""
    found = {}
    for application in serve_config(plan)["applications"]:
        [config] = application["args"]["llm_configs"]
        override = application["deployments"][1]
        own = config["deployment_config"]
        options = {key: override.get(key, value) for key, value in own.items()}
        found[application["route_prefix"][1:]] = {**config, "deployment_config": options}
    return found


def config_maps(plan: Plan) -> tuple[Manifest, ...]:
    return service_manifests(plan).config_maps


def smoke_test_job(plan: Plan) -> Manifest:
    return service_manifests(plan).smoke_test.job
