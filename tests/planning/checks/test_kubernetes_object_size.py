"""The estimate of checks/kubernetes_object_size.py, compared with what manifests/ writes."""

import json
from typing import Any

import pytest

from manifests import monitoring_manifests
from models.reading import read_stack
from planning import Plan
from planning.checks.kubernetes_object_size import (
    REQUEST_LIMIT_BYTES,
    config_map_bytes,
    ray_service_bytes,
    rules_bytes,
)
from tests.manifests.written import config_maps, ray_service
from tests.planning.small_stacks import planned as small_planned
from tests.planning.small_stacks import small, stops, values
from tests.planning.stacks import planned, stack

TEMPLATE = "{% for message in messages %}\n<|im_start|>{{ message.role }}\n{% endfor %}\n" * 200


LARGE: dict[str, object] = {"chat_template": TEMPLATE, "seed": 1}


def _plan(count: int, engine: dict[str, object]) -> Plan:
    models = [
        {"model": "qwen2.5-0.5b-instruct", "name": f"model-{number}", "engine": engine}
        for number in range(count)
    ]
    cluster = {"name": "c", "zones": ["us-central1-a"], "cpuPool": {"maxNodes": 1000}}
    return planned(stack(models, [{"tier": "l4", "maxNodes": 1000}], cluster=cluster))


@pytest.mark.parametrize(("count", "engine"), [(1, {}), (20, {}), (200, {}), (20, LARGE)])
def test_the_estimate_is_close_to_what_is_written(count: int, engine: dict[str, object]) -> None:
    plan = _plan(count, engine)
    service = len(json.dumps(ray_service(plan)))
    assert ray_service_bytes(plan.models, len(plan.pools)) == pytest.approx(service, rel=0.2)
    (config_map,) = config_maps(plan)
    assert config_map_bytes(plan.models) == pytest.approx(len(json.dumps(config_map)), rel=0.35)


def _watched(count: int, system: str, namespace: str, name: str) -> dict[str, Any]:
    entries = [
        {**small(name=f"{name}{number}"), "replicas": {"min": 0, "max": 2}}
        for number in range(count)
    ]
    sections: dict[str, Any] = {
        "monitoring": system,
        "slo": {"timeToFirstTokenSeconds": 2},
        "service": {"namespace": namespace},
        "gpuPools": [{"tier": "l4", "maxNodes": 1000}],
        "cluster": {
            "name": "llm",
            "zones": ["us-central1-a"],
            "cpuPool": {"maxNodes": 1000},
        },
    }
    return {"models": entries, **sections}


@pytest.mark.parametrize("system", ["gmp", "prometheus-operator"])
@pytest.mark.parametrize(("namespace", "name"), [("ai", "m"), ("n" * 63, "m" * 60)])
def test_the_estimate_of_rules_is_close_to_what_is_written(
    system: str, namespace: str, name: str
) -> None:
    sections = _watched(20, system, namespace, name)
    models = sections.pop("models")
    plan = small_planned(models, **sections)
    settings = read_stack("test", values(models, **sections)).settings
    written = monitoring_manifests(plan)
    assert settings is not None
    assert written is not None
    size = len(json.dumps(written.rules))
    assert rules_bytes(settings, plan.models) == pytest.approx(size, rel=0.1)


def test_rules_that_the_api_does_not_store_stop_the_preview() -> None:
    """The RayService of these models is not a third of what is stored."""
    sections = _watched(300, "prometheus-operator", "ai", "m" * 40)
    models = sections.pop("models")
    [problem] = stops(models, **sections)
    assert problem.rule == "object-size"
    assert "of rules for their alerts" in problem.sentence()
    without = {key: value for key, value in sections.items() if key not in ("monitoring", "slo")}
    assert ray_service_bytes(small_planned(models, **without).models, 1) < REQUEST_LIMIT_BYTES / 3
