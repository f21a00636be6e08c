"""A registry with copies: which images come from it, and what it changes of a start."""

import json

import pytest

from manifests import access_manifests, service_manifests
from models.mirror import in_mirror
from planning import cold_start
from tests.planning.small_stacks import planned, rules, small, stops

MIRROR = "us-central1-docker.pkg.dev/acme/mirror"


@pytest.mark.parametrize(
    ("image", "copy"),
    [
        ("rayproject/ray-llm:2.60.0", f"{MIRROR}/rayproject/ray-llm:2.60.0"),
        ("quay.io/kuberay/operator", f"{MIRROR}/kuberay/operator"),
        ("localhost:5000/a/b:1", f"{MIRROR}/a/b:1"),
        ("busybox:1.38", f"{MIRROR}/busybox:1.38"),
    ],
)
def test_an_image_keeps_its_name_without_its_registry(image: str, copy: str) -> None:
    assert in_mirror(image, MIRROR) == copy
    assert in_mirror(image, None) == image


def test_every_pod_of_a_stack_pulls_from_the_mirror() -> None:
    keys = {"access": {}, "weights": "gs://acme-weights", "gpuPools": ["l4"]}
    plan = planned([small()], versions={"mirror": f"{MIRROR}/"}, **keys)
    service, access = service_manifests(plan), access_manifests(plan)
    assert access is not None
    text = json.dumps([service.ray_service, service.smoke_test.job, access.gateway.deployment])
    assert service.weights is not None
    text += json.dumps(service.weights.job)
    images = [part.split('"')[0] for part in text.split('"image": "')[1:]]
    assert len(images) > 4
    assert all(image.startswith(f"{MIRROR}/") for image in images), images


def test_a_copy_of_rays_image_is_no_image_of_ones_own() -> None:
    plan = planned([small()], versions={"mirror": MIRROR})
    assert not plan.release.image_is_own
    assert not [warning for warning in plan.warnings if "image" in warning.rule]
    own = planned([small()], versions={"mirror": MIRROR, "image": f"{MIRROR}/acme/llm:1"})
    assert own.release.image == f"{MIRROR}/acme/llm:1"
    assert own.release.image_is_own


def test_an_image_in_artifact_registry_may_start_before_it_has_come() -> None:

    plain, streamed = (
        cold_start(plan.models[0], plan.pool(plan.models[0].pool)).image
        for plan in (planned([small()]), planned([small()], versions={"mirror": MIRROR}))
    )
    assert streamed.least < plain.least
    assert streamed.most == plain.most


@pytest.mark.parametrize(
    ("mirror", "remedy"),
    [
        (f"oci://{MIRROR}", MIRROR),
        (f"https://{MIRROR}/", MIRROR),
        ("docker.io", "Write the registry's host and a folder"),
        ("acme/mirror", "Write the registry's host and a folder"),
        (f"{MIRROR}:1.0", "Write the registry's host and a folder"),
        ("a b", "Write the registry's host and a folder"),
    ],
)
def test_what_no_registry_has_is_refused(mirror: str, remedy: str) -> None:
    found = stops([small()], versions={"mirror": mirror})
    assert rules(found) == {"invalid-value"}
    assert remedy in found[0].sentence()
