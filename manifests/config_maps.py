"""Writes the LLM configs as ConfigMaps, one a model family and one key a model.

They hold what serveConfigV2 holds, for people and for the smoke test. Ray does not read them.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from manifests.labels import labels
from planning import Plan

FAMILY_LABEL = "ray-llm/model-family"
NAME_PREFIX = "llm-configs-"
# A ConfigMap's name may contain dots, so qwen2.5 keeps its name and no two families share one. A
# label value may have at most 63 characters.
_FAMILY = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_FAMILY_LIMIT = 63


def config_maps(plan: Plan, llm_configs: Mapping[str, str]) -> list[dict[str, Any]]:
    """One ConfigMap a family, in the order of the families' first models.

    llm_configs: the LLM config of each model as YAML, by served name.
    """
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": config_map_name(family),
                "namespace": plan.service.namespace,
                "labels": {**labels(plan, "llm-configs"), FAMILY_LABEL: family_id(family)},
            },
            "data": {f"{model.name}.yaml": llm_configs[model.name] for model in models},
        }
        for family, models in plan.families.items()
    ]


def config_map_name(family: str) -> str:
    """The name of a family's ConfigMap."""
    return NAME_PREFIX + family_id(family)


def family_id(family: str) -> str:
    """The family as a part of Kubernetes names; a name that had to be changed ends in a hash."""
    if len(family) <= _FAMILY_LIMIT and _FAMILY.fullmatch(family):
        return family
    readable = re.sub(r"[^a-z0-9]+", "-", family.lower())[: _FAMILY_LIMIT - 9].strip("-")
    digest = hashlib.sha256(family.encode()).hexdigest()[:8]
    return f"{readable}-{digest}" if readable else digest
