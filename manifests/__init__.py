"""Pure writers: from the Plan to Kubernetes objects as plain dicts.

This is all of manifests that other folders import. Inside, `service` brings the writers together.
"""

from manifests.service import (
    Manifest,
    ServiceManifests,
    SmokeTestManifests,
    service_manifests,
)
from manifests.service_access import ServiceAccess
from manifests.smoke_test.job import ACTIVE_DEADLINE_SECONDS as SMOKE_TEST_DEADLINE_SECONDS
from manifests.worker_group import GPU_TYPE_TAINT

__all__ = [
    "GPU_TYPE_TAINT",
    "SMOKE_TEST_DEADLINE_SECONDS",
    "Manifest",
    "ServiceAccess",
    "ServiceManifests",
    "SmokeTestManifests",
    "service_manifests",
]
