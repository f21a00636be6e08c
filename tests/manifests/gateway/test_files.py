"""The text of Envoy's files. What Envoy makes of them is tried in tests/gateway."""

import json
from typing import Any

from manifests.gateway.envoy_files import start_file, watched_files
from planning import Plan
from tests.manifests.gateway.stacks import gateway_plan, key
from tests.manifests.plans import model

CONFIG_MAP_LIMIT = 1024 * 1024


def watched(plan: Plan) -> dict[str, str]:
    assert plan.access is not None
    return watched_files(plan, plan.access)


def nodes(value: Any) -> list[dict[str, Any]]:
    """Every object of a document."""
    if isinstance(value, dict):
        return [value, *(node for item in value.values() for node in nodes(item))]
    return [node for item in value for node in nodes(item)] if isinstance(value, list) else []


def test_every_watched_source_names_its_directory() -> None:
    plan = gateway_plan(key("all"), certificate="llm-tls")
    assert plan.access is not None
    text = start_file(plan, plan.access)
    sources = [node for node in nodes(json.loads(text)) if "path_config_source" in node]
    assert len(sources) == 6
    for source in sources:
        path = source["path_config_source"]["path"]
        folder = source["path_config_source"]["watched_directory"]["path"]
        assert path.rpartition("/")[0] == folder


def test_a_hundred_models_and_limited_keys_fit_into_a_config_map() -> None:
    names = [f"model-number-{number}" for number in range(100)]
    keys = [key(f"team-{number}", *names[number:]) for number in range(5)]
    files = watched(gateway_plan(*keys, models=tuple(model(name) for name in names)))
    assert sum(len(text.encode()) for text in files.values()) < CONFIG_MAP_LIMIT


def test_routes_wait_as_long_as_the_service_does() -> None:
    plan = gateway_plan(key("all"))
    routes = json.loads(watched(plan)["routes.json"])
    forwards = [node for node in nodes(routes) if "idle_timeout" in node]
    assert forwards
    for forward in forwards:
        waited = float(forward["idle_timeout"].removesuffix("s"))
        assert waited > plan.service.request_timeout_seconds + 60
        assert forward["timeout"] == "0s"


def test_connections_to_backends_end_before_the_backend_ends_them() -> None:
    clusters = json.loads(watched(gateway_plan())["clusters.json"])
    [options] = [
        node["common_http_protocol_options"]
        for node in nodes(clusters["resources"][0])
        if "common_http_protocol_options" in node
    ]
    assert float(options["idle_timeout"].removesuffix("s")) < 5
