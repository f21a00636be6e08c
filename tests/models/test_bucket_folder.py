"""Buckets that Cloud Storage would refuse when they are made."""

import pytest

from models.bucket_folder import bucket_folder
from models.invalid_value import InvalidValueError

LONG = "a" * 64


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"gs://{LONG}", "has 64 characters without a dot"),
        (f"gs://acme.{LONG}/w", "has 64 characters without a dot"),
        ("gs://192.168.1.1", "is an IP address"),
        ("gs://acme/w/../x", "has a . or .. in its path"),
        ("gs://acme/.", "has a . or .. in its path"),
    ],
)
def test_what_cannot_be_a_bucket_or_a_folder_is_refused(url: str, reason: str) -> None:
    with pytest.raises(InvalidValueError) as found:
        bucket_folder(url)
    assert reason in found.value.reason


@pytest.mark.parametrize(
    "url",
    [
        f"gs://{LONG[1:]}.{LONG[1:]}",
        "gs://acme.example.com/a.b/..c",
        "gs://192.168.1.a",
        f"s3://{LONG}",
        "s3://google",
        "gs://google-adapters/lora",
    ],
)
def test_what_may_be_one_is_taken(url: str) -> None:
    assert bucket_folder(url) == url
