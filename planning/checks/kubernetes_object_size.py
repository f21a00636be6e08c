"""Whether the RayService, the rules of alerts and the ConfigMaps fit into the Kubernetes API.

serveConfigV2 holds every model's configuration, and KubeRay adds each application's state to the
same object. The API server's store takes requests of up to 1.5 MiB (etcd --max-request-bytes),
a ConfigMap 1 MiB.

https://github.com/ray-project/kuberay/issues/2027, https://etcd.io/docs/v3.5/dev-guide/limit/,
https://kubernetes.io/docs/concepts/configuration/configmap/#motivation
"""

import json
from collections.abc import Iterable, Sequence
from typing import Final

from models.monitoring import MonitoringSystem
from models.problems import Problem
from models.stack import StackSettings
from planning.checks.contexts import StackContext
from planning.plan import ModelPlan

REQUEST_LIMIT_BYTES: Final = 1_572_864
CONFIG_MAP_LIMIT_BYTES: Final = 1_048_576
_ADVISED_BYTES: Final = 1_048_576
# Measured as JSON on what manifests/ writes (see the test of this module): the RayService without
# models and a pool, then one model without its name, source and engine arguments.
_SERVICE_BYTES: Final = 2_400
_POOL_BYTES: Final = 1_200
_APPLICATION_BYTES: Final = 1_250
_CONFIG_BYTES: Final = 615
_QUOTING: Final = 1.1
_INDENT_BYTES: Final = 16
_EMPTY_ENGINE_BYTES: Final = 2  # {}
# An application's entry in the status: two deployments with their states, and a timestamp.
STATUS_BYTES: Final = 400

# The rules of one model, all seven alerts, and how often they say where the service is.
_RULES_BYTES: Final = 3_700
_MODEL_RULES_BYTES: Final = 4_855
_NAMES_IN_RULES: Final = 29
_NAMESPACES_IN_RULES: Final = 22
_CLUSTERS_IN_RULES: Final = 16
_CLUSTER_LABEL_BYTES: Final = 11


def ray_service_bytes(models: Sequence[ModelPlan], pools: int) -> int:
    """About the size of the RayService as it is written, status left out."""
    own = sum(
        _APPLICATION_BYTES + 4 * len(model.name) + len(model.source) + _engine_bytes(model)
        for model in models
    )
    return _SERVICE_BYTES + pools * _POOL_BYTES + own


def rules_bytes(settings: StackSettings, models: Sequence[ModelPlan]) -> int:
    """About the size of the object with all alerts; 0 if nothing writes one.

    With a notification channel of Google's each alert is a policy of its own.
    """
    system = settings.monitoring.system
    by_google = system is MonitoringSystem.GMP
    if system is MonitoringSystem.NONE or (by_google and settings.alerts is not None):
        return 0
    place = _NAMESPACES_IN_RULES * len(settings.service.namespace)
    if by_google:
        place += _CLUSTERS_IN_RULES * (len(settings.cluster.name) + _CLUSTER_LABEL_BYTES)
    own = (_MODEL_RULES_BYTES + place + _NAMES_IN_RULES * len(model.name) for model in models)
    return _RULES_BYTES + sum(own)


def config_map_bytes(models: Sequence[ModelPlan]) -> int:
    """About the size of the ConfigMap of these models of one family."""
    return sum(
        _CONFIG_BYTES + 2 * len(model.name) + len(model.source) + _engine_bytes(model)
        for model in models
    )


def object_size_problems(context: StackContext) -> Iterable[Problem]:
    """A stop if an object would be refused, a warning if the next ones may be."""
    models = context.models
    size = ray_service_bytes(models, len(context.pools))
    with_status = size + STATUS_BYTES * len(models)
    path = "ray-llm:models"
    if size > REQUEST_LIMIT_BYTES:
        yield Problem(
            path=path,
            value=f"{len(models)} models",
            reason=f"make a RayService of {size / 1024**2:.1f} MiB, and the Kubernetes API stores "
            "1.5 MiB at most: it would answer `etcdserver: request is too large`",
            remedy="Spread the models over several stacks",
            rule="object-size",
        )
    elif with_status > _ADVISED_BYTES:
        yield Problem(
            path=path,
            value=f"{len(models)} models",
            reason=f"make a RayService of {with_status / 1024**2:.1f} MiB with its status, and the "
            "Kubernetes API stores 1.5 MiB at most",
            remedy="Spread the models over several stacks before you add more",
            rule="object-size-near",
        )
    rules = rules_bytes(context.settings, models)
    if rules > REQUEST_LIMIT_BYTES:
        yield Problem(
            path=path,
            value=f"{len(models)} models",
            reason=f"make {rules / 1024**2:.1f} MiB of rules for their alerts, and the Kubernetes "
            "API stores 1.5 MiB at most: it would answer `etcdserver: request is too large`",
            remedy="Spread the models over several stacks",
            rule="object-size",
        )
    families: dict[str, list[ModelPlan]] = {}
    for model in models:
        families.setdefault(model.family, []).append(model)
    for family, members in families.items():
        if config_map_bytes(members) > CONFIG_MAP_LIMIT_BYTES:
            yield Problem(
                path=path,
                value=f"{len(members)} models of the family {family}",
                reason="make a ConfigMap of more than 1 MiB, which Kubernetes refuses",
                remedy="Give some of them another family: <name>",
                rule="config-map-size",
            )


def _engine_bytes(model: ModelPlan) -> int:
    """Engine arguments of the stack file, indented and quoted as YAML does."""
    if not model.engine:
        return _EMPTY_ENGINE_BYTES
    text = json.dumps(dict(model.engine), default=str)
    return int(len(text) * _QUOTING) + _INDENT_BYTES * len(model.engine)
