"""The model of a request chooses the backend; keys decide who may ask what."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from planning import KeyPlan
from tests.gateway.backend import Backend, running_backend
from tests.gateway.client import CHAT, ask, chat
from tests.gateway.gateway import Gateway, running_gateway, value
from tests.manifests.gateway.stacks import gateway_plan, key
from tests.manifests.plans import model

KEYS: tuple[KeyPlan, ...] = (key("all"), key("few", "a"), key("slow", per_minute=6))
MODELS = (model("a", lora_path="gs://bucket/adapters"), model("b.1"))


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with running_backend() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    made = gateway_plan(*KEYS, models=MODELS)
    folder = tmp_path_factory.mktemp("gateway")
    with running_gateway(folder, made, {"": backend.port}) as running:
        yield running


@pytest.mark.parametrize("name", ["a", "b.1"])
@pytest.mark.parametrize("path", ["chat/completions", "completions", "embeddings", "score"])
def test_the_bodys_model_chooses_the_route(gateway: Gateway, name: str, path: str) -> None:
    reply = ask(gateway, f"/v1/{path}", {"model": name}, team="all")
    assert (reply.status, reply.json["path"]) == (200, f"/{name}/v1/{path}")


def test_queries_stay(gateway: Gateway) -> None:
    assert ask(gateway, f"{CHAT}?x=1", {"model": "a"}, team="all").json["path"].endswith("?x=1")


def test_an_adapter_goes_to_its_model(gateway: Gateway) -> None:
    reply = chat(gateway, "a:mine", "all")
    assert reply.json == {"path": "/a/v1/chat/completions", "model": "a:mine"}
    assert chat(gateway, "b.1:mine", "all").status == 404


def test_the_models_own_routes_stay(gateway: Gateway) -> None:
    assert ask(gateway, "/b.1/v1/models", method="GET", team="all").json["path"] == "/b.1/v1/models"
    assert ask(gateway, "/b.1/v1/models", method="GET").status == 401


@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"],
)
def test_content_types_of_json(gateway: Gateway, kind: str) -> None:
    assert chat(gateway, "a", "all", kind=kind).status == 200


@pytest.mark.parametrize("team", [None, "nobody"])
@pytest.mark.parametrize("path", [CHAT, "/a/v1/chat/completions", "/v1/models", "/v1/x", "/"])
def test_without_a_key_nothing_is_answered(
    gateway: Gateway, backend: Backend, team: str | None, path: str
) -> None:
    before = len(backend.seen)
    reply = ask(gateway, path, {"model": "a"}, team=team)
    assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert len(backend.seen) == before


def test_a_limited_key_reaches_its_models_only(gateway: Gateway, backend: Backend) -> None:
    assert chat(gateway, "a", "few").status == 200
    assert chat(gateway, "a:mine", "few").status == 200
    assert ask(gateway, "/a/v1/embeddings", {"model": "a"}, team="few").status == 200
    assert ask(gateway, "/a/v1/embeddings", {}, team="few").status == 200
    assert ask(gateway, "/a/v1/models", method="GET", team="few").status == 200
    before = len(backend.seen)
    for name in ("b.1", "b.1:mine"):
        reply = chat(gateway, name, "few")
        assert (reply.status, reply.error["code"]) == (403, "model_not_allowed")
        assert f"may not ask {name}. " in reply.error["message"]
    for reply in (
        ask(gateway, "/b.1/v1/embeddings", {"model": "b.1"}, team="few"),
        ask(gateway, "/b.1/v1/embeddings", {"model": "a"}, team="few"),
        ask(gateway, "/b.1/v1/models", method="GET", team="few"),
        ask(gateway, "/a/v1/embeddings", {"model": "b.1"}, team="few"),
        ask(gateway, "/a/../b.1/v1/embeddings", {"model": "a"}, team="few"),
    ):
        assert (reply.status, reply.error["code"]) == (403, "model_not_allowed")
        assert "may not ask the model of this path." in reply.error["message"]
    assert ask(gateway, "/a/..%2fb.1/v1/embeddings", {"model": "a"}, team="few").status == 400
    assert len(backend.seen) == before


def test_of_two_models_in_a_body_the_last_counts_here_and_in_python(
    gateway: Gateway, backend: Backend
) -> None:
    body = b'{"model": "a", "model": "b.1"}'
    assert json.loads(body)["model"] == "b.1"
    assert ask(gateway, CHAT, body, team="few").status == 403
    assert ask(gateway, CHAT, b'{"model": "b.1", "model": "a"}', team="few").json["model"] == "a"


def test_the_key_does_not_reach_the_backend(gateway: Gateway, backend: Backend) -> None:
    chat(gateway, "a", "all")
    assert "authorization" not in {name.lower() for name in backend.seen[-1].headers}
    assert value("all") not in str(backend.seen[-1])


def test_the_models_list_shows_what_the_key_may_ask(gateway: Gateway, backend: Backend) -> None:
    before = len(backend.seen)
    every = ask(gateway, "/v1/models", method="GET", team="all").json
    assert every["object"] == "list"
    assert [card["id"] for card in every["data"]] == ["a", "b.1"]
    assert all(
        card.keys() == {"id", "object", "created", "owned_by"} and card["object"] == "model"
        for card in every["data"]
    )
    few = ask(gateway, "/v1/models", method="GET", team="few").json
    assert [card["id"] for card in few["data"]] == ["a"]
    assert ask(gateway, "/v1/models/b.1", method="GET", team="all").json["id"] == "b.1"
    for missing in ("b.1", "org%2Fname", "none"):
        reply = ask(gateway, f"/v1/models/{missing}", method="GET", team="few")
        assert (reply.status, reply.error["code"]) == (404, "model_not_found")
    for team in ("all", "few"):
        assert ask(gateway, "/v1/models", {"model": "b.1"}, team=team).status == 405
        assert ask(gateway, "/v1/models/b.1", {"model": "b.1"}, team=team).status == 405
    assert len(backend.seen) == before


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{}", "application/json", 400, "missing_model"),
        (b'{"model": null}', "application/json", 400, "missing_model"),
        (b"", "application/json", 400, "missing_model"),
        (b"{", "application/json", 400, "unreadable_body"),
        (b'{"model": "a"}', "text/plain", 400, "unreadable_body"),
        (b'{"model": "a"}', None, 400, "unreadable_body"),
        ('{"model": "a"}'.encode("utf-16"), "application/json", 400, "unreadable_body"),
        (b'{"model": ""}', "application/json", 404, "model_not_found"),
        (b'{"model": 1}', "application/json", 404, "model_not_found"),
        (b'{"model": "A"}', "application/json", 404, "model_not_found"),
    ],
)
def test_bodies_that_name_no_model(
    gateway: Gateway, backend: Backend, body: bytes, kind: str | None, status: int, code: str
) -> None:
    before = len(backend.seen)
    reply = ask(gateway, CHAT, body, team="all", kind=kind)
    assert (reply.status, reply.error["code"]) == (status, code)
    assert reply.error["type"] == "invalid_request_error"
    assert len(backend.seen) == before


def test_an_unknown_model_is_told_which_there_are(gateway: Gateway) -> None:
    assert "a, b.1" in chat(gateway, "c", "all").error["message"]


def test_unknown_urls_and_methods(gateway: Gateway) -> None:
    assert ask(gateway, "/v1/nothing", {"model": "a"}, team="all").error["code"] == "unknown_url"
    assert ask(gateway, "/-/routes", method="GET", team="all").status == 404
    reply = ask(gateway, CHAT, method="GET", team="all")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")


def test_a_body_beyond_the_bound_is_refused(gateway: Gateway, backend: Backend) -> None:
    fits = b'{"model": "a", "x": "' + b"x" * (8 * 1024 * 1024 - 100) + b'"}'
    assert ask(gateway, CHAT, fits, team="all").status == 200
    before = len(backend.seen)
    reply = ask(gateway, CHAT, fits + b" " * 200, team="all")
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")
    assert len(backend.seen) == before


def test_a_team_beyond_its_limit_is_told_to_wait(gateway: Gateway) -> None:
    replies = [chat(gateway, "a", "slow") for _ in range(8)]
    assert [reply.status for reply in replies][:6] == [200] * 6
    assert replies[-1].status == 429
    assert replies[-1].error["code"] == "rate_limit_exceeded"
    assert int(replies[-1].headers["retry-after"]) == 10
    assert chat(gateway, "a", "all").status == 200


def test_the_access_log_names_the_team_and_never_the_key(gateway: Gateway) -> None:
    chat(gateway, "b.1", "all")
    chat(gateway, "b.1", "few")
    chat(gateway, "a", "nobody")
    entries: list[dict[str, object]] = []

    def arrived() -> bool:
        entries[:] = gateway.log()[-3:]
        return [entry["status"] for entry in entries] == [200, 403, 401]

    gateway.wait_for(arrived)
    assert [entry["team"] for entry in entries] == ["all", "few", None]
    assert (entries[0]["model"], entries[0]["route"]) == ("b.1", "b.1")
    text = gateway.all_output() + gateway.metrics() + gateway.admin("/stats")
    assert "sk-" not in text


def test_metrics_have_team_and_model_as_labels(gateway: Gateway) -> None:
    chat(gateway, "b.1", "all")
    text = gateway.metrics()
    assert 'model="b.1"' in text
    assert 'team="all"' in text


def test_the_admin_interface_does_not_show_the_configuration(gateway: Gateway) -> None:
    with pytest.raises(OSError, match="403"):
        gateway.admin("/config_dump")


@pytest.mark.parametrize("name", ["admin", "peers", "metrics", "requests"])
def test_a_model_may_be_named_as_a_part_of_the_gateway(
    tmp_path: Path, backend: Backend, name: str
) -> None:
    plan = gateway_plan(key("all"), models=(model(name),))
    with running_gateway(tmp_path, plan, {"": backend.port}) as running:
        assert chat(running, name, "all").json["path"] == f"/{name}/v1/chat/completions"
