"""Pure writers: from the Plan to Kubernetes objects as plain dicts.

This is all of manifests that other folders import. Inside, `service` brings the writers together.
"""

from manifests.access import AccessManifests, access_manifests
from manifests.access_record import access_fields
from manifests.compute_class import COMPUTE_CLASS_LABEL
from manifests.exposure import ExposureManifests, ManagedCertificate
from manifests.gateway.keys import keys_file
from manifests.gateway.objects import GatewayManifests, gateway_manifests
from manifests.gateway.places import LIVE_PATH as GATEWAY_LIVE_PATH
from manifests.gateway.places import POD as GATEWAY_PLACES
from manifests.gateway.places import READY_PATH as GATEWAY_READY_PATH
from manifests.gateway.service import gateway_service
from manifests.hugging_face_secret import SECRET_NAME
from manifests.labels import COMPONENT_LABEL
from manifests.monitoring.objects import MonitoringManifests, monitoring_manifests
from manifests.monitoring.queries import place_labels
from manifests.network_policies import OPERATOR_NAMESPACE
from manifests.off_hours.cron_job import EVERY_MINUTES as OFF_HOURS_EVERY_MINUTES
from manifests.off_hours.record import as_awake, schedule_of
from manifests.pods import GKE_NODE_POOL_LABEL
from manifests.rollout import RolloutManifest
from manifests.service import (
    Manifest,
    OffHoursManifests,
    ServiceManifests,
    SmokeTestManifests,
    service_manifests,
)
from manifests.service_access import ServiceAccess, port_forward
from manifests.smoke_test.job import ACTIVE_DEADLINE_SECONDS as SMOKE_TEST_DEADLINE_SECONDS
from manifests.smoke_test.script.engine_log import CAUSE_ELSEWHERE, root_cause
from manifests.smoke_test.script.serve_api import (
    APPLICATIONS,
    MODEL_DEPLOYMENT,
    deployed_config,
    engine_error,
    failure_messages,
)
from manifests.smoke_test.script.serve_api import by_model as applications_by_model
from manifests.smoke_test.script.settings import JOB_ANNOTATION
from manifests.weights.access import FILLER as WEIGHTS_FILLER
from manifests.weights.objects import WeightsManifests, weights_manifests
from manifests.worker_group import GPU_TYPE_TAINT
from manifests.yaml_text import yaml_text as serve_config_text

__all__ = [
    "APPLICATIONS",
    "CAUSE_ELSEWHERE",
    "COMPONENT_LABEL",
    "COMPUTE_CLASS_LABEL",
    "GATEWAY_LIVE_PATH",
    "GATEWAY_PLACES",
    "GATEWAY_READY_PATH",
    "GKE_NODE_POOL_LABEL",
    "GPU_TYPE_TAINT",
    "JOB_ANNOTATION",
    "MODEL_DEPLOYMENT",
    "OFF_HOURS_EVERY_MINUTES",
    "OPERATOR_NAMESPACE",
    "SECRET_NAME",
    "SMOKE_TEST_DEADLINE_SECONDS",
    "WEIGHTS_FILLER",
    "AccessManifests",
    "ExposureManifests",
    "GatewayManifests",
    "ManagedCertificate",
    "Manifest",
    "MonitoringManifests",
    "OffHoursManifests",
    "RolloutManifest",
    "ServiceAccess",
    "ServiceManifests",
    "SmokeTestManifests",
    "WeightsManifests",
    "access_fields",
    "access_manifests",
    "applications_by_model",
    "as_awake",
    "deployed_config",
    "engine_error",
    "failure_messages",
    "gateway_manifests",
    "gateway_service",
    "keys_file",
    "monitoring_manifests",
    "place_labels",
    "port_forward",
    "root_cause",
    "schedule_of",
    "serve_config_text",
    "service_manifests",
    "weights_manifests",
]
