"""The names and the numbers that settings are made of, each with what it may be."""

import re
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from models.catalog import ray_service_name_limit
from models.invalid_value import InvalidValueError

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
_DNS_1123_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
# A served name is a route, an application, a ConfigMap key and the `model` field of a request.
_SERVED_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
# https://cloud.google.com/iam/docs/service-accounts-create, and that of Compute Engine.
_SERVICE_ACCOUNT = re.compile(r"[a-z0-9][-a-z0-9]*@[-a-z0-9.]+\.gserviceaccount\.com")
_ZONE = re.compile(r"[a-z]+-[a-z]+[0-9]+-[a-z]")

GKE_NAME_LIMIT = 40  # clusters and node pools, GKE API reference
GKE_POOL_NODE_LIMIT = 1000  # nodes of a pool in a zone, GKE quotas and limits
SERVED_NAME_LIMIT = 63  # keeps `<name>` usable as a label value


def dns_1035_label(limit: int) -> AfterValidator:
    """A validator for names of Kubernetes Services: a DNS-1035 label of at most `limit`."""
    return AfterValidator(partial(_dns_1035_label, limit))


def _dns_1035_label(limit: int, name: str) -> str:
    if len(name) > limit:
        raise InvalidValueError(
            f"has {len(name)} characters, more than the {limit} that are allowed",
            f"Shorten it to {limit} characters or fewer",
            ("", _dns_safe(name[:limit], "")),
        )
    if not _DNS_1035.fullmatch(name):
        raise InvalidValueError(
            "is not a DNS-1035 label",
            "Use lower case letters, digits and '-', a letter first, no '-' last",
            ("", _with_letter_first(_dns_safe(name, ""))[:limit]),
        )
    return name


def _dns_safe(name: str, kept: str) -> str:
    """The name with '-' for what is not allowed; `kept` is allowed besides letters and digits."""
    allowed = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in kept) else "-"
        for letter in name.lower()
    )
    return allowed.strip("-.")


def _with_letter_first(name: str) -> str:
    return name if name[:1].isalpha() else f"llm-{name}".rstrip("-")


def _ray_service_name(name: str) -> str:
    """The limit is a fact of the catalogue, which is read only when a name is checked."""
    return _dns_1035_label(ray_service_name_limit(), name)


def _served_name(name: str) -> str:
    if ":" in name:
        raise InvalidValueError(
            "contains a ':', which Ray Serve LLM reads as base model and LoRA adapter, so "
            "every request would get a 404",
            "Write it without one",
            ("", _dns_safe(name, ".")),
        )
    if len(name) > SERVED_NAME_LIMIT:
        raise InvalidValueError(
            f"has {len(name)} characters, more than the {SERVED_NAME_LIMIT} that are allowed",
            "Give a shorter name",
            ("", _dns_safe(name[:SERVED_NAME_LIMIT], ".")),
        )
    if not _SERVED_NAME.fullmatch(name):
        raise InvalidValueError(
            "is not DNS-safe, and it becomes a route and a ConfigMap key",
            "Use lower case letters, digits, '-' and '.', with a letter or digit at both ends",
            ("", _dns_safe(name.rstrip("/").rpartition("/")[2], ".")),
        )
    return name


def _secret_name(name: str) -> str:
    return _dns_1123_subdomain("a Kubernetes Secret", name, ("", _dns_safe(name[:253], ".")))


def _cache_claim(name: str) -> str:
    if name.startswith("gs://"):
        raise InvalidValueError(
            "is a bucket, which is no place for a cache: compilers lock files there, and Cloud "
            "Storage FUSE has no locks",
            "Write the name of a PersistentVolumeClaim that many nodes may write",
        )
    return _claim(name)


def _claim(name: str) -> str:
    # No way out: a name that was made of it would be that of no claim.
    return _dns_1123_subdomain("a PersistentVolumeClaim", name)


def _dns_1123_subdomain(what: str, name: str, *ways: tuple[str, str]) -> str:
    if len(name) > 253 or not _DNS_1123_SUBDOMAIN.fullmatch(name):
        raise InvalidValueError(
            f"is not the name of {what}",
            "Use lower case letters, digits, '-' and '.', with a letter or digit at both ends",
            *ways,
        )
    return name


def _service_account(email: str) -> str:
    if not _SERVICE_ACCOUNT.fullmatch(email):
        raise InvalidValueError(
            "is not the e-mail of a Google service account",
            "Write one such as nodes@acme-ml.iam.gserviceaccount.com",
        )
    return email


def _zone(zone: str) -> str:
    if not _ZONE.fullmatch(zone):
        raise InvalidValueError("is not the name of a zone", "Write one such as us-central1-a")
    return zone


GkeName = Annotated[str, dns_1035_label(GKE_NAME_LIMIT)]
NamespaceName = Annotated[str, dns_1035_label(63)]
RayServiceName = Annotated[str, AfterValidator(_ray_service_name)]
ClaimName = Annotated[str, AfterValidator(_claim)]
CacheClaimName = Annotated[str, AfterValidator(_cache_claim)]
SecretName = Annotated[str, AfterValidator(_secret_name)]
ServiceAccountEmail = Annotated[str, AfterValidator(_service_account)]
ServedName = Annotated[str, AfterValidator(_served_name)]
# The team of a key: a label of metrics and logs, the name of a policy, a key of a Secret.
TeamName = Annotated[str, dns_1035_label(63)]
# Of Cloud Armor, as all of Compute Engine's names.
PolicyName = Annotated[str, dns_1035_label(63)]
Zone = Annotated[str, AfterValidator(_zone)]
# Not strict, so that the file's lists become the tuples that a frozen object needs.
Zones = Annotated[tuple[Zone, ...], Field(strict=False, min_length=1)]
NonEmpty = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
# The largest count that any field of ours may hold: beyond it a typing mistake is certain, and
# Kubernetes' int32 fields would overflow.
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
NodeCount = Annotated[int, Field(ge=0, le=GKE_POOL_NODE_LIMIT)]
ReplicaCount = Annotated[int, Field(ge=0, le=1000)]
UsdPerHour = Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)]
