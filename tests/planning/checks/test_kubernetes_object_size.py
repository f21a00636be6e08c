"""The estimate of checks/kubernetes_object_size.py, compared with what manifests/ writes."""

import json

import pytest

from planning import Plan
from planning.checks.kubernetes_object_size import config_map_bytes, ray_service_bytes
from tests.manifests.written import config_maps, ray_service
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
