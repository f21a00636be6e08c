"""The objects of a plan one by one, as `service_manifests` writes them together."""

from manifests import Manifest, service_manifests
from planning import Plan


def ray_service(plan: Plan) -> Manifest:
    return service_manifests(plan).ray_service


def serve_config_text(plan: Plan) -> str:
    text: str = ray_service(plan)["spec"]["serveConfigV2"]
    return text


def config_maps(plan: Plan) -> tuple[Manifest, ...]:
    return service_manifests(plan).config_maps


def smoke_test_job(plan: Plan) -> Manifest:
    return service_manifests(plan).smoke_test.job
