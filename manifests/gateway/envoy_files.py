"""The files that Envoy reads: the start file, and the ones that it follows while it runs."""

from manifests.gateway.certificate import certificate_file
from manifests.gateway.clusters import clusters_file
from manifests.gateway.keys import model_rules_file
from manifests.gateway.limits import limits_file
from manifests.gateway.places import (
    CERTIFICATE_FILE,
    CLUSTERS_FILE,
    LIMITS_FILE,
    MODEL_RULES_FILE,
    POD,
    ROUTES_FILE,
    Places,
)
from manifests.gateway.routes import routes_file
from manifests.gateway.start_file import start_file
from planning import AccessPlan, Plan

__all__ = ["start_file", "watched_files"]


def watched_files(plan: Plan, access: AccessPlan, places: Places = POD) -> dict[str, str]:
    """The text of each watched file by its name, without that of the keys."""
    files = {
        ROUTES_FILE: routes_file(plan, access),
        CLUSTERS_FILE: clusters_file(plan),
        MODEL_RULES_FILE: model_rules_file(plan, access),
        LIMITS_FILE: limits_file(access),
    }
    if access.ends_tls:
        files[CERTIFICATE_FILE] = certificate_file(places)
    return files
