"""Pure writers: from the Plan to Kubernetes objects as plain dicts.

This is all of manifests that other folders import. Inside, `service` brings the writers together.
"""

from manifests.off_hours.cron_job import EVERY_MINUTES as OFF_HOURS_EVERY_MINUTES
from manifests.off_hours.record import as_awake, schedule_of
from manifests.rollout import RolloutManifest
from manifests.service import (
    Manifest,
    OffHoursManifests,
    ServiceManifests,
    SmokeTestManifests,
    service_manifests,
)
from manifests.service_access import ServiceAccess
from manifests.smoke_test.job import ACTIVE_DEADLINE_SECONDS as SMOKE_TEST_DEADLINE_SECONDS
from manifests.smoke_test.script.serve_api import MODEL_DEPLOYMENT, engine_error
from manifests.worker_group import GPU_TYPE_TAINT
from manifests.yaml_text import yaml_text as serve_config_text

__all__ = [
    "GPU_TYPE_TAINT",
    "MODEL_DEPLOYMENT",
    "OFF_HOURS_EVERY_MINUTES",
    "SMOKE_TEST_DEADLINE_SECONDS",
    "Manifest",
    "OffHoursManifests",
    "RolloutManifest",
    "ServiceAccess",
    "ServiceManifests",
    "SmokeTestManifests",
    "as_awake",
    "engine_error",
    "schedule_of",
    "serve_config_text",
    "service_manifests",
]
