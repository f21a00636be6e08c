"""Pure writers: from the Plan to Kubernetes objects as plain dicts.

This is all of manifests that other folders import. Inside, `service` brings the writers together.
"""

from manifests.access import AccessManifests, access_manifests
from manifests.exposure import ExposureManifests, ManagedCertificate
from manifests.gateway.keys import keys_file
from manifests.gateway.objects import GatewayManifests, gateway_manifests
from manifests.gateway.places import LIVE_PATH as GATEWAY_LIVE_PATH
from manifests.gateway.places import POD as GATEWAY_PLACES
from manifests.gateway.places import READY_PATH as GATEWAY_READY_PATH
from manifests.gateway.service import gateway_service
from manifests.network_policies import OPERATOR_NAMESPACE
from manifests.rollout import RolloutManifest
from manifests.service import (
    Manifest,
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
    "GATEWAY_LIVE_PATH",
    "GATEWAY_PLACES",
    "GATEWAY_READY_PATH",
    "GPU_TYPE_TAINT",
    "MODEL_DEPLOYMENT",
    "OPERATOR_NAMESPACE",
    "SMOKE_TEST_DEADLINE_SECONDS",
    "AccessManifests",
    "ExposureManifests",
    "GatewayManifests",
    "ManagedCertificate",
    "Manifest",
    "RolloutManifest",
    "ServiceAccess",
    "ServiceManifests",
    "SmokeTestManifests",
    "access_manifests",
    "engine_error",
    "gateway_manifests",
    "gateway_service",
    "keys_file",
    "serve_config_text",
    "service_manifests",
]
