"""Names of images that no node can read, by the grammar of the distribution project."""

import pytest

from planning.infrastructure.image_reference import image_reference_problems, is_image_reference
from tests.planning.stacks import sentences, stack

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("https://ghcr.io/acme/ray-llm:1", "starts with https://"),
        ("docker://ghcr.io/acme/ray-llm:1", "starts with docker://"),
        ("ghcr.io/Acme/ray-llm:1", "has upper case"),
        ("My-Org/ray-llm:1", "has upper case"),
        (f"ghcr.io/acme/ray-llm@sha256:{DIGEST[:12]}", "has a digest of 12 digits"),
        (f"ghcr.io/acme/ray-llm:1@sha256:{DIGEST[1:]}", "has a digest of 63 digits"),
        (f"ghcr.io/acme/ray-llm@sha512:{DIGEST}", "one of sha512 has 128"),
        (f"ghcr.io/acme/ray-llm@{DIGEST}", "starts with none of sha256"),
        (f"ghcr.io/acme/ray-llm@md5:{DIGEST[:32]}", "starts with none of sha256"),
        (f"ghcr.io/acme/ray-llm@sha256:{DIGEST.upper()}", "letters other than a to f"),
        ("ghcr.io/acme/ray-llm@", "starts with none of sha256"),
        ("ghcr.io/acme/ray-llm:", "ends in a colon"),
        ("ghcr.io/ac me/ray-llm:1", "has a blank"),
        ("ghcr.io/acme/ray-llm: 1", "has a blank"),
        ("ghcr.io/acme/ray-llm:1.0+cu128", "has a tag, 1.0+cu128,"),
        (f"ghcr.io/acme/ray-llm:{'a' * 129}", "has a tag,"),
        ("ghcr.io/acme/ray-llm:1:2", "has a tag, 1:2,"),
        ("ghcr.io//ray-llm:1", "is not a reference"),
        ("ghcr.io/acme/ray-llm:1/", "is not a reference"),
        ("host:port/ray-llm:1", "is not a reference"),
        (f"ghcr.io/{'a' * 256}:1", "is not a reference"),
        ("${IMAGE}", "is not a reference"),
        (DIGEST, "is not a reference"),
    ],
)
def test_a_name_that_no_node_can_read_is_refused_with_its_fault(image: str, reason: str) -> None:
    (problem,) = image_reference_problems(image, "acme/ray:1", "image")
    assert reason in problem.reason


@pytest.mark.parametrize(
    "image",
    [
        "rayproject/ray-llm:2.60.0-py312-cu130",
        "ray-llm",
        "GHCR.io/acme/ray-llm:V1_a.b-c",
        "localhost/ray-llm:1",
        "registry:5000/acme/ray-llm:1",
        "[2001:db8::1]:5000/ray-llm:1",
        "us-docker.pkg.dev/example.com/acme/llm/ray__llm:1",
        "ghcr.io/a--b/ray-llm:1",
        f"ghcr.io/acme/ray-llm@sha256:{DIGEST}",
        f"ghcr.io/acme/ray-llm:1@sha256:{DIGEST}",
        f"ghcr.io/acme/ray-llm@sha512:{DIGEST}{DIGEST}",
        f"ghcr.io/acme/ray-llm:{'a' * 128}",
    ],
)
def test_a_name_of_another_registry_passes(image: str) -> None:
    assert is_image_reference(image)


@pytest.mark.parametrize(
    ("image", "way"),
    [
        ("https://ghcr.io/acme/a:2.60.0-7", "Did you mean ghcr.io/acme/a:2.60.0-7?"),
        ("https://ghcr.io/Acme/a:2.60.0-B/", "Did you mean ghcr.io/acme/a:2.60.0-B?"),
        (f"ghcr.io/acme/a@{DIGEST}", f"Did you mean ghcr.io/acme/a@sha256:{DIGEST}?"),
        ("ghcr.io/acme/a:", "Use rayproject/ray-llm:2.60.0-py312-cu130"),
    ],
)
def test_the_name_that_was_meant_is_offered(image: str, way: str) -> None:
    values = stack(versions={"ray": "2.60.0", "image": image})
    (sentence,) = sentences(values)
    assert way in sentence


def test_an_unreadable_name_is_told_beside_an_unknown_release() -> None:
    values = stack(versions={"ray": "1.0.0", "image": "https://ghcr.io/acme/a:1"})
    unknown, unreadable = sentences(values)
    assert "is not in the release table" in unknown
    assert "starts with https://" in unreadable


def test_no_password_of_an_address_is_shown() -> None:
    image = "https://user:pa55word@ghcr.io/acme/ray-llm:1"
    assert "pa55word" not in "".join(sentences(stack(versions={"image": image})))
