"""The JSON Schema of a stack file, for editors: completion, and a red line before any preview.

Made from the types of models/stack.py and the catalogue's names. It checks form only; what does
not fit together is found by the plan. Draft 7, because that is what YAML editors speak.
"""

import json
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from models.access import AccessSettings, KeySettings, KeySource
from models.catalog import (
    CUSTOM_MACHINE_TYPE,
    QUOTA_DIMENSIONS,
    gpu_tiers,
    kuberay_releases,
    llms,
    machine_types,
    quota_families,
    quota_keys,
    ray_releases,
    regions,
    vllm_versions,
)
from models.monitoring import MonitoringSettings, MonitoringSystem
from models.reading import NAMESPACE, REQUIRED
from models.rules import acceptable_rules
from models.settings import Settings
from models.stack import GpuPoolSettings, ModelDeployment, OffHoursWindow, PriceSettings
from models.stack_keys import SECTIONS, TOKEN_KEY
from models.token_reference import TokenReference
from models.weights import WeightsPlace, WeightsSettings

_MODE: Final[JsonSchemaMode] = "validation"
_ENTRIES: Final[tuple[type[Settings], ...]] = (
    GpuPoolSettings,
    ModelDeployment,
    OffHoursWindow,
    PriceSettings,
    TokenReference,
)
# What Pulumi writes for an encrypted value.
_ENCRYPTED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}

_IN_SECRET_MANAGER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"secretManager": {"type": "string"}},
    "required": ["secretManager"],
    "additionalProperties": False,
}


def stack_schema() -> dict[str, Any]:
    """The schema of `Pulumi.<stack>.yaml`."""
    references, definitions = models_json_schema(
        [(settings, _MODE) for settings in (*SECTIONS.values(), *_ENTRIES)],
        by_alias=True,
        ref_template="#/definitions/{model}",
        schema_generator=GenerateJsonSchema,
    )
    config = {f"{NAMESPACE}:{key}": schema for key, schema in _keys(references).items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "ray-llm stack",
        "description": "Pulumi.<stack>.yaml of ray-llm: pools, models and the cluster they run on.",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "type": "object",
                "required": [
                    "gcp:project",
                    "gcp:region",
                    *(f"{NAMESPACE}:{key}" for key in REQUIRED),
                ],
                "properties": {
                    "gcp:project": {"type": "string", "minLength": 1},
                    "gcp:region": {"type": "string", "examples": list(regions())},
                    **config,
                },
                # Pulumi and its providers have keys of their own; ours are all listed.
                "propertyNames": {
                    "if": {"pattern": f"^{NAMESPACE}:"},
                    "then": {"enum": list(config)},
                },
            }
        },
        "definitions": _with_keys(_with_names(definitions["$defs"])),
    }


def schema_text() -> str:
    """The schema as it is shipped."""
    return json.dumps(stack_schema(), indent=2) + "\n"


def _keys(references: dict[tuple[type[Any], JsonSchemaMode], dict[str, Any]]) -> dict[str, Any]:
    """The keys of our section by their names."""
    tier = {"type": "string", "enum": list(gpu_tiers()), "description": "A GPU tier."}
    model = {"type": "string", "enum": list(llms()), "description": "A model of the catalogue."}
    metrics = {metric: _quota(metric) for metric in quota_keys()}
    price = references[PriceSettings, _MODE]
    number = {"type": "number", "exclusiveMinimum": 0}
    text = {"type": "string", "pattern": r"^\s*[0-9]*\.?[0-9]+\s*$"}
    return {
        **{key: references[section, _MODE] for key, section in SECTIONS.items()},
        TOKEN_KEY: {
            "description": f"Encrypted, by `pulumi config set --secret {NAMESPACE}:{TOKEN_KEY}`, "
            "or where it is kept.",
            "anyOf": [_ENCRYPTED, references[TokenReference, _MODE]],
        },
        "monitoring": {
            "description": "Who collects metrics; with it come dashboards and alerts.",
            "anyOf": [
                {"type": "string", "enum": [system.value for system in MonitoringSystem]},
                references[MonitoringSettings, _MODE],
            ],
        },
        "weights": {
            "description": "From where nodes read weights: hub, a bucket, or a disk.",
            "anyOf": [
                {"const": WeightsPlace.HUB.value},
                {"type": "string", "pattern": "^gs://."},
                references[WeightsSettings, _MODE],
            ],
        },
        "gpuPools": {
            "description": "Node pools with GPUs, each scaling from zero. Append new ones at the "
            "end: any other position starts a second RayCluster.",
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [tier, references[GpuPoolSettings, _MODE]]},
        },
        "models": {
            "description": "What is served.",
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [model, references[ModelDeployment, _MODE]]},
        },
        "offHours": {
            "description": "When models sleep: one window, or a list.",
            "anyOf": [
                references[OffHoursWindow, _MODE],
                {"type": "array", "minItems": 1, "items": references[OffHoursWindow, _MODE]},
            ],
        },
        "quotas": {
            "description": "Limits of the project, from `ray-llm quotas`.",
            "type": "object",
            "properties": metrics,
            "additionalProperties": False,
        },
        "prices": {
            "description": "USD per hour of a node, by GPU tier or machine type.",
            "type": "object",
            "properties": dict.fromkeys((*gpu_tiers(), *machine_types()), price),
            "patternProperties": {CUSTOM_MACHINE_TYPE: price},
            "additionalProperties": False,
        },
        "monthlyBudget": {
            "description": "USD per month that the stack may cost with all models at their "
            "minimum.",
            "anyOf": [number, text],
        },
        "loadFactor": {
            "description": "How far a typical month is from the minimum (0) to the maximum (1).",
            "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, text],
        },
        "accept": {
            "description": "Ids of rules whose warnings are known and accepted; see docs/rules.",
            "type": "array",
            "items": {"type": "string", "enum": list(acceptable_rules())},
        },
    }


def _quota(metric: str) -> dict[str, Any]:
    """A limit; for a metric that counts by a dimension, also one for each family."""
    limit: dict[str, Any] = {"type": "integer", "minimum": 0}
    if metric not in QUOTA_DIMENSIONS:
        return limit
    families = {
        "type": "object",
        "properties": dict.fromkeys(quota_families(metric), limit),
        "additionalProperties": False,
    }
    return {
        "description": f"By {QUOTA_DIMENSIONS[metric]}; a number is the limit of each.",
        "anyOf": [families, limit],
    }


def _with_names(definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions, with the catalogue's names for fields that accept only those."""
    known: dict[tuple[str, str], list[str]] = {
        ("GpuPoolSettings", "tier"): list(gpu_tiers()),
        ("GpuPoolSettings", "machineType"): [
            *dict.fromkeys(name for tier in gpu_tiers().values() for name in tier.machine_types)
        ],
        ("CpuPoolSettings", "machineType"): [
            name for name, machine in machine_types().items() if not machine.has_gpus
        ],
        ("ModelDeployment", "model"): list(llms()),
        ("Versions", "ray"): list(ray_releases()),
        ("Versions", "kuberay"): list(kuberay_releases()),
        ("Versions", "vllm"): list(vllm_versions()),
    }
    for (definition, field), names in known.items():
        schema = definitions[definition]["properties"][field]
        for form in schema.get("anyOf", [schema]):
            if form.get("type") == "string":
                if field == "machineType":  # custom types are not listed
                    form["anyOf"] = [{"enum": names}, {"pattern": CUSTOM_MACHINE_TYPE}]
                else:
                    form["enum"] = names
    return definitions


def _with_keys(definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions, with both forms of a key: encrypted alone, or beside what it may do."""
    del definitions[KeySource.__name__]
    key = definitions[KeySettings.__name__]
    place = {"anyOf": [_ENCRYPTED, _IN_SECRET_MANAGER]}
    key["properties"]["key"] = place
    key["required"] = ["key"]
    keys = definitions[AccessSettings.__name__]["properties"]["keys"]
    keys["additionalProperties"] = {"anyOf": [*place["anyOf"], keys["additionalProperties"]]}
    keys["minProperties"] = 1
    return definitions
