"""What stops or warns about the way in, and that the ways out that are shown work."""

from typing import Any

import pytest

from models.problems import Problem, Severity
from planning import Plan, make_plan
from tests.planning.small_stacks import planned, reading, rules, stops

MODEL = "qwen2.5-0.5b-instruct"
SECURE = {"secure": "AAAB"}
KEYS = {"search": SECURE}
EXTERNAL = {
    "exposure": "external",
    "host": "llm.acme.example",
    "certificate": "managed",
    "keys": KEYS,
}
ADOPTED = {
    "name": "llm",
    "zones": ["us-central1-a"],
    "existing": True,
    "cpuPool": {"name": "app-pool"},
}


def found(access: Any, models: tuple[Any, ...] = (MODEL,), **keys: Any) -> tuple[Problem, ...]:
    return stops(models, access=access, **keys)


def only(access: Any, rule: str, models: tuple[Any, ...] = (MODEL,)) -> Problem:
    (problem,) = found(access, models)
    assert problem.rule == rule
    return problem


def canary(name: str = "b", **keys: Any) -> dict[str, Any]:
    return {"model": MODEL, "name": name, "canaryOf": MODEL, "percent": 5, **keys}


def warnings(plan: Plan) -> set[str]:
    """Of adopted clusters, those about their GPU drivers excepted."""
    return rules(plan.warnings) - {"gpu-driver"}


def test_a_whole_way_in_from_the_internet_passes() -> None:
    access = planned([MODEL, canary()], access=EXTERNAL).access
    assert access is not None
    assert (access.host, access.certificate) == ("llm.acme.example", "managed")
    assert access.managed_certificate


def test_a_stack_without_access_hears_nothing_of_it() -> None:
    plan = planned([MODEL])
    assert plan.access is None
    assert not [rule for rule in warnings(plan) if rule.startswith(("access", "canary"))]


def test_an_empty_section_is_a_gateway_inside_the_cluster() -> None:
    plan = planned([MODEL], access={})
    assert plan.access is not None
    assert plan.access.exposure == "none"
    assert not warnings(plan)


@pytest.mark.parametrize(
    ("left_out", "rule"),
    [
        ("host", "access-host"),
        ("certificate", "access-certificate"),
        ("keys", "access-without-keys"),
    ],
)
def test_the_internet_needs_host_certificate_and_keys(left_out: str, rule: str) -> None:
    access = {key: value for key, value in EXTERNAL.items() if key != left_out}
    assert rule in rules(found(access))


def test_exposure_alone_names_all_that_is_missing_at_once() -> None:
    assert rules(found({"exposure": "external"})) == {
        "access-host",
        "access-certificate",
        "access-without-keys",
    }


@pytest.mark.parametrize(
    ("host", "meant"),
    [
        ("https://llm.acme.example", "llm.acme.example"),
        ("http://llm.acme.example:8080/v1", "llm.acme.example"),
        ("llm.acme.example/v1", "llm.acme.example"),
        ("llm.acme.example:443", "llm.acme.example"),
        ("*.acme.example", "acme.example"),
        ("LLM.acme.example", "llm.acme.example"),
        ("llm.acme.example.", "llm.acme.example"),
        ("llm", None),
        ("34.120.1.2", None),
        ("2001:db8::1", None),
        ("llm_1.acme.example", None),
        ("llm acme.example", None),
        (f"{'a' * 64}.example", None),
    ],
)
def test_a_host_is_a_name_alone(host: str, meant: str | None) -> None:
    problem = only({**EXTERNAL, "host": host}, "access-host")
    assert [way.words for way in problem.ways] == (
        [] if meant is None else [f"use access.host: {meant}"]
    )


@pytest.mark.parametrize("certificate", ["Managed", "none", "my cert", "a/b", "x" * 254])
def test_a_certificate_is_managed_or_a_secret(certificate: str) -> None:
    only({**EXTERNAL, "certificate": certificate}, "access-certificate")
    plan = planned([MODEL], access={**EXTERNAL, "certificate": "llm-tls"})
    assert plan.access is not None
    assert plan.access.ends_tls


@pytest.mark.parametrize("exposure", ["none", "internal"])
@pytest.mark.parametrize(
    ("key", "value"),
    [("host", "llm.acme"), ("certificate", "llm.acme"), ("securityPolicy", "armor")],
)
def test_what_an_exposure_cannot_use_stops(exposure: str, key: str, value: str) -> None:
    problem = only({"exposure": exposure, key: value, "keys": KEYS}, "access-unused")
    assert problem.path == f"ray-llm:access.{key}"
    assert f"leave access.{key} out" in [way.words for way in problem.ways]


def test_a_security_policy_needs_the_load_balancer_that_ends_tls() -> None:
    access = {**EXTERNAL, "certificate": "llm-tls", "securityPolicy": "armor"}
    assert only(access, "access-unused").path == "ray-llm:access.securityPolicy"
    plan = planned([MODEL], access={**EXTERNAL, "securityPolicy": "armor"})
    assert plan.access is not None
    assert plan.access.security_policy == "armor"


def test_the_vpc_network_without_keys_warns_and_can_be_accepted() -> None:
    plan = planned([MODEL], access={"exposure": "internal"})
    (warning,) = plan.warnings
    assert warning.rule == "access-without-keys"
    assert warning.severity is Severity.WARN
    accepted = planned([MODEL], access={"exposure": "internal"}, accept=["access-without-keys"])
    assert not accepted.warnings


def test_a_limit_needs_a_key() -> None:
    problem = only({"limits": {"requestsPerMinute": 600}}, "access-limit")
    assert problem.ways[0].words == "leave the limit out"


@pytest.mark.parametrize("limits", [{"requestsPerMinute": 0}, {"requestsPerMinute": -1}])
def test_a_limit_of_nothing_stops(limits: dict[str, int]) -> None:
    assert rules(found({"limits": limits, "keys": KEYS})) == {"invalid-value"}
    key = {"key": SECURE, **limits}
    assert rules(found({"keys": {"search": key}})) == {"invalid-value"}


@pytest.mark.parametrize("size", [0, 33])
def test_a_body_has_a_size_that_fits(size: int) -> None:
    assert rules(found({"maxBodyMib": size})) == {"invalid-value"}


def test_a_key_names_models_that_are_served() -> None:
    key = {"key": SECURE, "models": ["qwen2.5-0.5b-instuct"]}
    problem = only({"keys": {"search": key}}, "access-model-unknown")
    assert problem.path == "ray-llm:access.keys.search.models[0]"
    assert [way.words for way in problem.ways] == [f"did you mean {MODEL}?"]
    assert rules(found({"keys": {"search": {**key, "models": []}}})) == {"invalid-value"}


def test_nothing_is_said_to_be_missing_if_the_section_could_not_be_read() -> None:
    assert rules(found({**EXTERNAL, "host": 5})) == {"wrong-type"}
    assert rules(found({**EXTERNAL, "keys": {}})) == {"empty-list"}
    assert rules(found("external", (MODEL, canary()))) == {"wrong-type"}


def test_an_adopted_cluster_is_told_what_a_preview_cannot_see() -> None:
    plan = planned([MODEL], access=EXTERNAL, cluster=ADOPTED)
    assert warnings(plan) == {"access-gateway-api", "access-network-policy"}
    own = planned([MODEL], access={**EXTERNAL, "certificate": "tls"}, cluster=ADOPTED)
    assert warnings(own) == {"access-network-policy"}
    accepted = ["access-gateway-api", "access-network-policy"]
    quiet = planned([MODEL], access=EXTERNAL, cluster=ADOPTED, accept=accepted)
    assert not warnings(quiet)


@pytest.mark.parametrize("percent", [0, 101, "5", 2.5])
def test_a_share_is_a_whole_number_of_percent(percent: Any) -> None:
    assert rules(found({}, (MODEL, canary(percent=percent)))) <= {"invalid-value", "wrong-type"}


@pytest.mark.parametrize(
    ("entry", "rule", "way"),
    [
        (canary(canaryOf="b"), "canary-of", "leave canaryOf and percent out"),
        (canary(canaryOf="qwen2.5-0.5b-instuct"), "canary-of", f"did you mean {MODEL}?"),
        (canary(percent=None), "canary-percent", "write percent: 5"),
        (canary(canaryOf=None), "canary-percent", "leave percent out"),
    ],
)
def test_a_canary_names_another_model_and_its_share(
    entry: dict[str, Any], rule: str, way: str
) -> None:
    problem = only({}, rule, (MODEL, entry))
    assert way in [shown.words for shown in problem.ways]


def test_a_canary_of_a_canary_is_one_of_the_model() -> None:
    problem = only({}, "canary-of", (MODEL, canary(), canary("c", canaryOf="b")))
    assert f"use canaryOf: {MODEL}" in [way.words for way in problem.ways]


def test_a_canary_of_another_task_could_not_answer() -> None:
    problem = only({}, "canary-of", (MODEL, canary(task="embed")))
    assert "for generate and its canary b for embed" in problem.reason


def test_canaries_of_a_model_get_all_its_requests_at_most() -> None:
    models = (MODEL, canary(percent=60), canary("c", percent=50))
    problem = only({}, "canary-percent", models)
    assert problem.path == "ray-llm:models[2].percent"
    assert [way.words for way in problem.ways] == ["use 40 or less"]
    planned([MODEL, canary(percent=60), canary("c", percent=40)], access={})


def test_a_canary_needs_a_gateway() -> None:
    (problem,) = stops([MODEL, canary()])
    assert problem.rule == "canary-without-access"
    assert "add ray-llm:access: {}" in [way.words for way in problem.ways]


def test_the_gateway_s_own_paths_are_no_models() -> None:
    problem = only({}, "reserved-name", ({"model": MODEL, "name": "v1"},))
    assert [way.words for way in problem.ways] == ["use name: v1-model"]
    planned([{"model": MODEL, "name": "v1"}])


def test_no_way_out_loses_a_key() -> None:
    """Ways out are tried on values in which keys are only marked."""
    read = reading([MODEL], access={**EXTERNAL, "host": "https://llm.acme.example"})
    changed = read.edited(
        next(iter(found({**EXTERNAL, "host": "https://llm.acme.example"}))).ways[0].edits
    )
    assert changed is not None
    plan = make_plan(changed)
    assert plan.access is not None
    assert [key.team for key in plan.access.keys] == ["search"]


@pytest.mark.parametrize(
    "access",
    [
        {**EXTERNAL, "keys": None},
        {"limits": {"requestsPerMinute": 60}},
    ],
)
def test_a_key_is_a_way_out_where_one_is_missing(access: dict[str, Any]) -> None:
    stated = {key: value for key, value in access.items() if value is not None}
    rule = "access-without-keys" if "exposure" in stated else "access-limit"
    assert "add a key" in only(stated, rule).sentence().lower()


@pytest.mark.parametrize("other", ["search-key", "search-key/versions/latest"])
def test_two_teams_cannot_have_one_secret(other: str) -> None:
    keys = {"a": {"secretManager": "search-key"}, "b": {"secretManager": other}}
    assert only({"keys": keys}, "access-key-twice").path == "ray-llm:access.keys.b"
