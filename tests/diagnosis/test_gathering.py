"""What is asked of a cluster, against a small server in place of its API."""

import ast
import copy
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from diagnosis import Part, Snapshot, UnreachableError, cluster_of, diagnose
from diagnosis.cluster_api import ClusterApi, _refusal
from diagnosis.gathering import Target, gather
from planning import Plan
from tests.diagnosis.api_server import TOKEN, ApiServer, running
from tests.diagnosis.snapshots import ACTOR, CLUSTER, WORKER, failing, small_plan, well
from tests.diagnosis.test_judgement import ELSEWHERE, SMALL_CACHE

ROOT = Path(__file__).parents[2]
NAMESPACE = "/api/v1/namespaces/ai"
HEAD = f"{NAMESPACE}/services/http:llm-serving-head-svc:8265/proxy"
APPLICATIONS = f"{HEAD}/api/serve/applications/"
LOGS = f"{HEAD}/api/v0/logs/file"
SERVICE = "/apis/ray.io/v1/namespaces/ai/rayservices/llm-serving"
METRICS = f"{NAMESPACE}/pods/{WORKER}:8080/proxy/metrics"


def answers(snapshot: Snapshot) -> dict[str, Any]:
    """The API's answers that make a snapshot."""

    def items(objects: Any) -> dict[str, Any]:
        return {"items": copy.deepcopy(list(objects))}

    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    return {
        "/version": {"major": "1"},
        SERVICE: snapshot.ray_service or 404,
        "/apis/ray.io/v1/namespaces/ai/rayclusters": items(snapshot.ray_clusters),
        f"{NAMESPACE}/pods": items(snapshot.pods),
        f"{NAMESPACE}/events": items(snapshot.events),
        f"{NAMESPACE}/configmaps": items(snapshot.config_maps),
        f"{NAMESPACE}/secrets": items({"metadata": {"name": name}} for name in snapshot.secrets),
        "/apis/batch/v1/namespaces/ai/jobs": items(snapshot.jobs),
        "/apis/networking.k8s.io/v1/namespaces/ai/networkpolicies": items(snapshot.policies),
        "/api/v1/nodes": items(()),
        "/apis/apps/v1/deployments": items(snapshot.deployments),
        f"{definitions}/rayservices.ray.io": next(iter(snapshot.definitions), 404),
        f"{definitions}/rayclusters.ray.io": 404,
        APPLICATIONS: snapshot.serve or 503,
        f"{HEAD}/api/cluster_status": snapshot.autoscaler or 503,
    }


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with running(ApiServer()) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        server.answers = answers(well())
        yield server


def look(plan: Plan | None = None) -> Snapshot:
    return cluster_of(plan or small_plan()).snapshot()


def test_a_well_service_is_seen_whole_and_only_asked(server: ApiServer) -> None:
    snapshot = look()
    assert snapshot.unseen == ()
    assert {method for method, _, _ in server.asked} == {"GET"}
    # The constructed objects are of another day.
    assert (
        diagnose(replace(snapshot, taken_at=well().now, server_time=well().now), small_plan()) == ()
    )


def test_the_client_refuses_everything_but_a_question(server: ApiServer) -> None:
    with httpx.Client(base_url=server.url) as http:
        ClusterApi(http, "llm")
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with pytest.raises(PermissionError, match="a diagnosis changes nothing"):
                http.request(method, "/api/v1/namespaces/ai/pods")
    assert server.asked == []


def test_no_module_of_the_diagnosis_has_a_client_of_its_own() -> None:
    clients = set()
    for path in (ROOT / "diagnosis").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            roots = {name.partition(".")[0] for name in names}
            if roots & {"httpx2", "httpx", "urllib.request", "lightkube", "subprocess", "http"}:
                clients.add(path.name)
    assert clients == {"cluster_api.py"}


def test_values_of_secrets_are_never_asked_for(server: ApiServer) -> None:
    look()
    index = [path for _, path, _ in server.asked].index(f"{NAMESPACE}/secrets")
    assert "as=PartialObjectMetadataList" in server.headers[index]["Accept"]
    assert not any("/secrets/" in path for _, path, _ in server.asked)


def test_what_may_not_be_read_is_said_and_the_rest_goes_on(server: ApiServer) -> None:
    server.answers |= {"/api/v1/nodes": 403, f"{NAMESPACE}/secrets": 403}
    snapshot = look()
    assert {item.part for item in snapshot.unseen} == {Part.NODES, Part.SECRETS}
    assert all("you have no right to it" in item.why for item in snapshot.unseen)
    assert snapshot.ray_service is not None


def test_a_pod_that_does_not_answer_is_said_without_the_sockets_of_the_api_server() -> None:
    text = "error trying to reach service: dial tcp 10.0.0.9:8080: connect: connection refused"
    refusal = _refusal(httpx.Response(503, json={"kind": "Status", "message": text}))
    assert str(refusal) == "it does not answer the API server (connection refused)"


def test_a_part_that_does_not_answer_costs_only_its_time(server: ApiServer) -> None:
    server.slow[APPLICATIONS] = 20
    started = time.monotonic()
    snapshot = look()
    assert time.monotonic() - started < 15
    assert [item.part for item in snapshot.unseen] == [Part.SERVE]
    assert "in time" in snapshot.unseen[0].why


def test_all_is_asked_at_once(server: ApiServer) -> None:
    """Ten answers that take half a second each would take five one after the other."""
    lists = [path for path in server.answers if path not in {"/version", APPLICATIONS}]
    server.slow = dict.fromkeys(lists, 0.5)
    snapshot = look()
    assert snapshot.unseen == ()


def test_a_cluster_without_the_service_is_a_finding(server: ApiServer) -> None:
    server.answers = {
        path: {"items": []} if isinstance(answer, dict) and "items" in answer else 404
        for path, answer in server.answers.items()
    } | {"/version": {}, "/apis/apps/v1/deployments": {"items": []}}
    definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rayservices.ray.io"
    server.answers[definition] = {"metadata": {"name": "rayservices.ray.io"}}
    found = {item.rule for item in diagnose(look(), small_plan())}
    assert "service-missing" in found


def test_an_engine_s_log_is_read_only_if_ray_does_not_say_the_cause(server: ApiServer) -> None:
    server.answers = answers(failing(ELSEWHERE))
    server.answers[LOGS] = SMALL_CACHE
    assert SMALL_CACHE in look().logs[ACTOR]
    server.asked.clear()
    server.answers = answers(well())
    look()
    assert not any(path == LOGS for _, path, _ in server.asked)


def test_the_queue_of_an_engine_is_read_from_its_pod(server: ApiServer) -> None:
    server.answers[METRICS] = (
        "# TYPE ray_vllm_num_requests_waiting gauge\n"
        'ray_vllm_num_requests_waiting{engine="0",model_name="chat"} 9.0\n'
        'ray_vllm_num_requests_waiting{engine="0",model_name="rare"} 3.0\n'
        'ray_vllm_kv_cache_usage_perc{engine="0",model_name="chat"} 0.97\n'
    )
    [load] = look().loads["chat"]
    assert (load.waiting, load.cache) == (9.0, 0.97)


def test_an_engine_before_vllm_0_11_has_names_with_a_colon(server: ApiServer) -> None:
    server.answers[METRICS] = (
        'ray_vllm:num_requests_waiting{engine="0",model_name="chat"} 9.0\n'
        'ray_vllm:num_requests_running{engine="0",model_name="chat"} 1.2.3\n'
        'ray_vllm:kv_cache_usage_perc{engine="0",model_name="chat"} 0.97\n'
        'ray_vllm:gpu_cache_usage_perc{engine="0",model_name="chat"} 0.97\n'
    )
    [load] = look().loads["chat"]
    assert (load.waiting, load.running, load.cache) == (9.0, 0.0, 0.97)


def test_a_second_cluster_is_asked_too(server: ApiServer) -> None:
    service = copy.deepcopy(dict(well().ray_service or {}))
    service["status"]["pendingServiceStatus"] = {"rayClusterName": "second"}
    path = f"{NAMESPACE}/services/http:second-head-svc:8265/proxy/api/serve/applications/"
    server.answers |= {SERVICE: service, path: {"applications": {}}}
    assert look().upcoming == {"applications": {}}


@pytest.mark.parametrize(
    ("code", "words"), [(401, "does not know who you are"), (500, "HTTP 500"), (None, "cannot be")]
)
def test_a_cluster_that_cannot_be_asked_is_one_sentence_without_the_token(
    code: int | None, words: str, server: ApiServer, tmp_path: Path
) -> None:
    if code is None:
        server.url = "http://127.0.0.1:9"  # discard: nobody listens
        server.kubeconfig(tmp_path)
    else:
        server.answers["/version"] = code
    with pytest.raises(UnreachableError, match=words) as caught:
        look()
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_kubeconfig_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    with pytest.raises(UnreachableError, match="There is no kubeconfig"):
        look()


@pytest.mark.parametrize(
    "text", ["", "7", "clusters: 7", "{", "current-context: x\nclusters: []\ncontexts: []\n", "\t"]
)
def test_a_broken_kubeconfig_is_one_sentence(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(UnreachableError, match="does not lead to the cluster"):
        look()


def test_a_sign_in_program_that_is_not_there_is_named(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = server.kubeconfig(tmp_path)
    exec_user = "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: no-such-plugin}"
    path.write_text(path.read_text().replace(f"token: {TOKEN}", exec_user))
    with pytest.raises(UnreachableError, match="no-such-plugin"):
        look()


def test_the_stack_s_own_context_is_taken(server: ApiServer, tmp_path: Path) -> None:
    server.kubeconfig(tmp_path, context="gke_acme-ml_us-central1_llm-test")
    assert cluster_of(small_plan()).context == "gke_acme-ml_us-central1_llm-test"


def test_a_context_that_is_not_there_is_refused_with_the_nearest(server: ApiServer) -> None:
    with pytest.raises(UnreachableError, match="Did you mean llm"):
        cluster_of(small_plan(), "lm")


def test_the_target_is_that_of_the_plan() -> None:
    target = Target.of(small_plan())
    assert target.dashboard(CLUSTER, "/x").endswith(f"http:{CLUSTER}-head-svc:8265/proxy/x")
    assert gather.__doc__
