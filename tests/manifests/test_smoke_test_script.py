"""The smoke test's script, run against a small server in place of Serve, KubeRay and models."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import yaml

from manifests import service_manifests
from manifests.serve_config import llm_config
from manifests.smoke_test.script import http_json, main, repairs, service_view
from manifests.smoke_test.script.serve_api import APPLICATIONS
from manifests.smoke_test.script.settings import JOB_ANNOTATION, Settings
from models import problems
from models.tasks import Task
from planning import ModelPlan, Plan
from tests.manifests import written
from tests.manifests.plans import model, plan, replicas
from tests.manifests.written import config_maps, smoke_test_job

Answer = tuple[int, Any]
JOBS = "/apis/batch/v1/namespaces/ai/jobs"
RAY_CLUSTERS = "/apis/ray.io/v1/namespaces/ai/rayclusters"
PODS = "/api/v1/namespaces/ai/pods"
EVENTS = "/api/v1/namespaces/ai/events"
EVENT_QUERY = urlencode(
    {
        "fieldSelector": "involvedObject.kind=RayService,involvedObject.name=llm-serving,"
        "reason=FailedToUpdateServeApplications"
    }
)
TRACEBACK = """The deployment failed to start 3 times in a row. Error:
ray::ServeReplica:a:LLMServer:a.initialize_and_get_metadata() (pid=7, ip=10.0.0.9)
  File "/home/ray/vllm/worker.py", line 200, in determine_num_available_blocks
ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`.
"""


def application_configs(of: Plan) -> dict[str, Any]:
    """The application of each model, as it is written."""
    text = written.ray_service(of)["spec"]["serveConfigV2"]
    return {item["route_prefix"][1:]: item for item in yaml.safe_load(text)["applications"]}


class Service:
    """The answers of the cluster; a test sets them and changes them while the script runs."""

    def __init__(self, models: tuple[ModelPlan, ...], ray: str = "2.49.1") -> None:
        self.plan = plan(models, ray=ray)
        self.configs = application_configs(self.plan)
        self.applications = {item.name: self.application(item) for item in self.plan.models}
        self.upcoming: dict[str, Any] = {}
        self.ray_service: Answer = (403, {})
        self.overrides: dict[str, Callable[[int], Answer | None]] = {}
        self.asked: list[str] = []
        self.dashboard_up = True
        self.submitted: list[tuple[str, Any]] = []
        self.revives = False
        self.job = smoke_test_job(self.plan)
        self.jobs: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.groups: list[dict[str, Any]] = []
        self.pods: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    def application(self, item: ModelPlan, status: str = "RUNNING") -> dict[str, Any]:
        return {
            "name": self.configs[item.name]["name"],
            "route_prefix": item.route,
            "status": status,
            "message": "",
            "deployed_app_config": self.configs[item.name],
            "deployments": {f"LLMServer:{item.name}": {"status": "HEALTHY", "message": ""}},
        }

    def fail(self, name: str, message: str = TRACEBACK) -> dict[str, Any]:
        failed = {**self.applications[name], "status": "DEPLOY_FAILED"}
        failed["message"] = f"Failed to update the deployments ['LLMServer:{name}']."
        failed["deployments"] = {f"LLMServer:{name}": {"status": "UNHEALTHY", "message": message}}
        return failed

    def answer(self, path: str, body: Any, method: str = "GET") -> Answer:
        if method == "PUT":
            self.submitted.append((path, body))
            if self.revives:
                for item in self.plan.models:
                    applications = self.upcoming if "new" in path else self.applications
                    applications[item.name] = self.application(item)
            return 200, b""
        if method == "DELETE":
            self.deleted.append(path)
        if method == "PATCH":
            return self.patched(body)
        self.asked.append(path)
        override = self.overrides.get(path)
        given = override(self.asked.count(path)) if override else None
        if given is not None:
            return given
        if path.endswith("/api/serve/applications/"):
            upcoming = path.startswith("/llm-serving-new")
            if not upcoming and not self.dashboard_up:
                return 503, {}
            return 200, {
                "proxy_location": "EveryNode",
                "http_options": {"host": "0.0.0.0", "port": 8000},
                "applications": {
                    item["name"]: item
                    for item in (self.upcoming if upcoming else self.applications).values()
                },
            }
        if "/rayservices/" in path:
            return self.ray_service
        if path.startswith(JOBS):
            return self.answer_jobs(path, method)
        if path.startswith(RAY_CLUSTERS):
            return 200, {"spec": {"workerGroupSpecs": self.groups}}
        if path.startswith(EVENTS):
            [selector] = parse_qs(urlsplit(path).query)["fieldSelector"]
            assert "involvedObject.name=llm-serving" in selector
            return 200, {"items": self.events}
        if path.startswith(PODS):
            return 200, {"items": self.pods}
        name, _, endpoint = path[1:].partition("/v1/")
        if name not in self.applications:
            return 404, {"error": "no route"}
        if endpoint == "models":
            return 200, {"data": [{"id": name}]}
        assert body["model"] == name
        answers: dict[str, Any] = {
            "embeddings": {"data": [{"embedding": [0.25, -0.5]}]},
            "score": {"data": [{"score": 0.75}]},
        }
        return 200, answers.get(endpoint, {"choices": [{"text": "hello"}]})

    def left(self, name: str, labels: dict[str, str] | None = None) -> None:
        """Puts a Job into the namespace, with the labels of the running Job."""
        metadata = {**self.job["metadata"], "name": name}
        metadata["labels"] = {**metadata["labels"], **(labels or {})}
        self.jobs.append({"metadata": metadata})

    def patched(self, operations: list[dict[str, Any]]) -> Answer:
        """Applies a JSON patch of numbers of workers, as the Kubernetes API does."""
        for operation in operations:
            *_, index, field = operation["path"].split("/")
            group = self.groups[int(index)]
            if operation["op"] == "test" and group[field] != operation["value"]:
                return 422, {"kind": "Status"}
            if operation["op"] == "replace":
                group[field] = operation["value"]
        return 200, {"kind": "RayCluster"}

    def answer_jobs(self, path: str, method: str) -> Answer:
        """Lists by label and deletes by name, as the Kubernetes API does."""
        address = urlsplit(path)
        name = address.path[len(JOBS) :].strip("/")
        query = parse_qs(address.query)
        if method == "DELETE":
            kept = [job for job in self.jobs if job["metadata"]["name"] != name]
            found, self.jobs = len(kept) < len(self.jobs), kept
            return (200, {"kind": "Status"}) if found else (404, {"kind": "Status"})
        selector = query["labelSelector"][0]
        pairs, _, components = selector.partition(",app.kubernetes.io/component in ")
        wanted = [pair.split("=") for pair in pairs.split(",")]
        known = components.strip("()").split(",")
        return 200, {
            "items": [
                job
                for job in self.jobs
                if all(job["metadata"]["labels"].get(key) == value for key, value in wanted)
                and job["metadata"]["labels"]["app.kubernetes.io/component"] in known
            ]
        }


class Run:
    """One run of the script against a service, with its output."""

    def __init__(self, service: Service, url: str, folder: Path) -> None:
        self.service = service
        self.lines: list[str] = []
        for item in config_maps(service.plan):
            for key, text in item["data"].items():
                (folder / key).write_text(text)
        [container] = service.job["spec"]["template"]["spec"]["containers"]
        self.env = {
            **{item["name"]: item["value"] for item in container["env"]},
            "LLM_CONFIGS": str(folder),
            "SERVE_URL": url,
            "DASHBOARD_URL": url,
            "CLUSTER_DASHBOARD_URL": url + "/{cluster}",
            "DEADLINE_SECONDS": "1",
            "KUBERNETES_URL": url,
            "SERVICE_ACCOUNT": str(folder),
        }

    def __call__(self, deadline: float = 1) -> int:
        self.env["DEADLINE_SECONDS"] = str(deadline)
        return main.run(Settings.from_env(self.env), self.lines.append)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Run]]:
    """Starts a server for a service; it ends with the test."""
    monkeypatch.setattr(main, "POLL_SECONDS", (0.01, 0.05))
    monkeypatch.setattr(repairs, "REMOVAL_SECONDS", 0.5)
    monkeypatch.setattr(repairs, "REMOVAL_POLL_SECONDS", 0.01)
    servers: list[ThreadingHTTPServer] = []

    def run_for(*models: ModelPlan, ray: str = "2.49.1") -> Run:
        service = Service(models, ray)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                status, answer = service.answer(self.path, body, self.command)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self) -> None:
                self.do_GET()

            def do_PUT(self) -> None:
                self.do_GET()

            def do_PATCH(self) -> None:
                self.do_GET()

            def do_DELETE(self) -> None:
                self.do_GET()

            def log_message(self, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return Run(service, f"http://127.0.0.1:{server.server_port}", tmp_path)

    yield run_for
    for server in servers:
        server.shutdown()
        server.server_close()


def test_every_model_answers(start: Callable[..., Run]) -> None:
    run = start(model("a"), model("b.c"))
    assert run() == 0
    assert "/a/v1/chat/completions" in run.service.asked
    assert "/b.c/v1/chat/completions" in run.service.asked
    table = run.lines[run.lines.index("") + 1 :]
    assert [line.split()[0] for line in table] == ["a", "b.c"]
    assert all(" s  answers chat/completions" in line for line in table)


def test_an_added_model_is_404_for_a_while_after_an_update_in_place(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"))
    application = run.service.applications.pop("a")

    def late(count: int) -> Answer | None:
        if count == 5:
            run.service.applications["a"] = application
        return None

    run.service.overrides["/api/serve/applications/"] = late
    run.service.overrides["/a/v1/models"] = lambda count: (404, {}) if count < 3 else None
    assert run(10) == 0
    assert "a: its application is not deployed" in run.lines
    assert "a: does not answer: HTTP 404 {}" in run.lines


def test_an_edited_model_that_still_runs_as_before_does_not_count(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"))
    new = run.service.applications["a"]
    old_config = {**llm_config(run.service.plan, run.service.plan.models[0]), "engine_kwargs": {}}
    old = {**new, "deployed_app_config": {"args": {"llm_configs": [old_config]}}}
    run.service.applications["a"] = old
    assert run() == 1
    assert not [path for path in run.service.asked if path.startswith("/a/")]
    assert "a: not ready after 1 s: still runs with its previous configuration" in run.lines
    run.service.applications["a"] = new
    assert run() == 0


def test_a_model_that_sleeps_by_its_window_counts_as_deployed_and_is_asked(
    start: Callable[..., Run],
) -> None:
    run = start(model("a", replicas=replicas(2)))
    application = json.loads(json.dumps(run.service.applications["a"]))
    for item in application["deployed_app_config"]["deployments"]:
        item["autoscaling_config"]["min_replicas"] = 0
    run.service.applications["a"] = application
    assert run() == 1  # it has no window
    record = json.dumps({"windows": [], "minima": {"/a": {"LLMServer:a": 2}}})
    metadata = {"annotations": {service_view.OFF_HOURS_ANNOTATION: record}}
    run.service.ray_service = (200, {"metadata": metadata})
    assert run() == 0
    assert "/a/v1/chat/completions" in run.service.asked
    metadata["annotations"][service_view.OFF_HOURS_ANNOTATION] = "of another form"
    assert run() == 1


def test_a_failed_model_is_reported_with_the_engines_last_error_while_the_others_answer(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"), model("b"))
    run.service.applications["a"] = run.service.fail("a")
    assert run(60) == 1  # at once, not after a minute
    assert run.lines[-2] == (
        "a: ValueError: No available memory for the cache blocks. "
        "Try increasing `gpu_memory_utilization`."
    )
    assert run.lines[-1] == "1 of 2 models do not answer"
    assert any(line.startswith("b ") and "answers" in line for line in run.lines)


PYDANTIC = """Traceback (most recent call last):
  File "/home/ray/vllm_engine.py", line 1, in start
RuntimeError: Failed to create vLLM engine config: 1 validation error for ModelConfig
  Value error, User-specified max_model_len (99999) is greater than the derived max_model_len \
(max_position_embeddings=32768). [type=value_error, input_value=ArgsKwargs((), {'model': 'x'}), \
input_type=ArgsKwargs]
    For further information visit https://errors.pydantic.dev/2.13/v/value_error
"""
LITERALS = """RuntimeError: Failed to create vLLM engine config: 2 validation errors for ModelConfig
dtype.literal['auto','half']
  Input should be 'auto' or 'half' [type=literal_error, input_value='float8', input_type=str]
    For further information visit https://errors.pydantic.dev/2.14/v/literal_error
dtype.is-instance[dtype]
  Input should be an instance of dtype [type=is_instance_of, input_value='float8', input_type=str]
    For further information visit https://errors.pydantic.dev/2.14/v/is_instance_of
"""
ELSEWHERE = """ray::ServeReplica:a:LLMServer:a.initialize_and_get_metadata() (pid=7, ip=10.0.0.9, \
actor_id=0a1b, repr=<ray.serve.ServeReplica:a object>)
  File "/home/ray/vllm/v1/engine/utils.py", line 1, in wait_for_engine_startup
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
"""
ENGINE_LOG = """(EngineCore pid=9) ERROR 11-28 14:42:11 [core.py:1350] EngineCore failed to start.
(EngineCore pid=9) ERROR 11-28 14:42:11 [core.py:1350] Traceback (most recent call last):
(EngineCore pid=9) ERROR 11-28 14:42:11 [core.py:1350] \
RuntimeError: Cannot find any model weights with `Qwen/Qwen2.5-0.5B`
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
"""
LOGS = "/api/v0/logs/file?actor_id=0a1b&suffix={}&lines=2000"


def test_what_pydantic_finds_wrong_is_reported_without_the_object_it_looked_at(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"))
    run.service.applications["a"] = run.service.fail("a", PYDANTIC)
    assert run(60) == 1
    assert run.lines[-2] == (
        "a: RuntimeError: Failed to create vLLM engine config: 1 validation error for ModelConfig "
        "Value error, User-specified max_model_len (99999) is greater than the derived "
        "max_model_len (max_position_embeddings=32768)."
    )


def test_each_field_that_pydantic_names_is_reported(start: Callable[..., Run]) -> None:
    run = start(model("a"))
    run.service.applications["a"] = run.service.fail("a", LITERALS)
    assert run(60) == 1
    assert run.lines[-2] == (
        "a: RuntimeError: Failed to create vLLM engine config: 2 validation errors for ModelConfig "
        "dtype.literal['auto','half'] Input should be 'auto' or 'half' [type=literal_error, "
        "input_value='float8', input_type=str] dtype.is-instance[dtype] Input should be an "
        "instance of dtype [type=is_instance_of, input_value='float8', input_type=str]"
    )


@pytest.mark.parametrize("suffix", ["err", "out"])
def test_a_cause_that_stands_only_in_the_engines_log_is_read_there(
    start: Callable[..., Run], suffix: str
) -> None:
    run = start(model("a"))
    run.service.applications["a"] = run.service.fail("a", ELSEWHERE)
    for each in ("err", "out"):
        text = ENGINE_LOG if each == suffix else "INFO starting\n"
        run.service.overrides[LOGS.format(each)] = lambda _, text=text: (200, text.encode())
    assert run(60) == 1
    assert run.lines[-2] == (
        "a: RuntimeError: Cannot find any model weights with `Qwen/Qwen2.5-0.5B`"
    )


@pytest.mark.parametrize("written", [True, False])
def test_an_engines_log_is_read_once_while_the_model_starts_again(
    start: Callable[..., Run], written: bool
) -> None:
    run = start(model("a"))
    failed = run.service.fail("a", ELSEWHERE)
    run.service.applications["a"] = {**failed, "status": "DEPLOYING"}
    log = LOGS.format("err")

    def gives_up(count: int) -> Answer | None:
        if count == 6:
            run.service.applications["a"] = failed
        return None

    def read(count: int) -> Answer:
        return 200, ENGINE_LOG.encode() if written or count > 1 else b"INFO starting\n"

    run.service.overrides["/api/serve/applications/"] = gives_up
    run.service.overrides[log] = read
    assert run(60) == 1
    cause = "RuntimeError: Cannot find any model weights with `Qwen/Qwen2.5-0.5B`"
    assert run.lines[-2] == f"a: {cause}"
    assert (f"a: DEPLOYING: {cause}" in run.lines) is written
    # Once more after the failure is settled, if it did not say the cause.
    assert run.service.asked.count(log) == (1 if written else 2)


def test_an_engines_log_that_cannot_be_read_is_named_with_the_command(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"))
    run.service.applications["a"] = run.service.fail("a", ELSEWHERE)
    for suffix in ("err", "out"):
        run.service.overrides[LOGS.format(suffix)] = lambda _: (500, b"no such node")
    assert run(60) == 1
    assert run.lines[-2] == (
        "a: the engine did not start; its process 7 in the pod with the address 10.0.0.9 has "
        "written why: kubectl exec --namespace ai POD -- sh -c "
        "'tail -n 100 /tmp/ray/session_latest/logs/worker-*-7.*'"
    )


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        ("RepositoryNotFoundError: 401 Client Error.", "its name is misspelt"),
        ("OSError: acme/x is not a local folder and is not a valid model", "its name is misspelt"),
        ("GatedRepoError: 403 Client Error.", "its terms are not accepted"),
    ],
)
def test_a_repository_that_cannot_be_read_is_explained(
    start: Callable[..., Run], error: str, meaning: str
) -> None:
    run = start(model("a"))
    run.service.applications["a"] = run.service.fail("a", error)
    assert run(60) == 1
    assert meaning in run.lines[-2]
    assert f"({error})" in run.lines[-2]


def test_an_application_that_cannot_be_built_is_reported_with_its_own_message(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"))
    failed = {**run.service.applications["a"], "status": "DEPLOY_FAILED", "deployments": {}}
    failed["message"] = "Deploying app 'a' failed with exception:\nImportError: no vLLM\n"
    run.service.applications["a"] = failed
    assert run(60) == 1
    assert "a: ImportError: no vLLM" in run.lines


def test_a_model_that_is_still_starting_is_waited_for(start: Callable[..., Run]) -> None:
    run = start(model("a"))
    running = run.service.applications["a"]
    run.service.applications["a"] = {**running, "status": "DEPLOYING"}

    def ready(count: int) -> Answer | None:
        if count == 4:
            run.service.applications["a"] = running
        return None

    run.service.overrides["/api/serve/applications/"] = ready
    assert run(10) == 0
    assert run.lines[0] == "a: DEPLOYING"


def test_a_ready_model_waits_no_longer_for_the_next_look_than_a_tenth_of_its_start(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(model("a"))
    run.service.overrides["/a/v1/models"] = lambda count: (404, {}) if count < 60 else None
    monkeypatch.setattr(main, "POLL_SECONDS", (0.5, 5.0))
    pauses: list[float] = []
    monkeypatch.setattr(main.time, "sleep", pauses.append)
    assert run(600) == 0
    waited = 0.0
    for pause in pauses:
        assert pause <= min(0.5 + 0.1001 * waited, 5)
        waited += pause
    # Nor does it send more requests than are useful.
    assert pauses[0] == 0.5
    assert pauses[-1] == 5


def test_at_the_deadline_the_last_known_reason_is_printed(start: Callable[..., Run]) -> None:
    run = start(model("a"))
    starting = {**run.service.fail("a", "RuntimeError: CUDA out of memory"), "status": "DEPLOYING"}
    run.service.applications["a"] = starting
    assert run() == 1
    assert run.lines[-2] == ("a: not ready after 1 s: DEPLOYING: RuntimeError: CUDA out of memory")


def test_a_model_at_zero_is_not_woken(start: Callable[..., Run]) -> None:
    run = start(model("a"), model("asleep", replicas=replicas(0, 2)))
    assert run() == 0
    assert not [path for path in run.service.asked if path.startswith("/asleep/")]
    assert any("starts with its first request" in line for line in run.lines)


def test_a_model_at_zero_whose_application_fails_is_reported_too(
    start: Callable[..., Run],
) -> None:
    run = start(model("asleep", replicas=replicas(0, 2)))
    run.service.applications["asleep"] = run.service.fail("asleep")
    assert run(60) == 1


@pytest.mark.parametrize(
    ("refused", "answered"),
    [({"chat/completions"}, "completions"), ({"chat/completions", "completions"}, "embeddings")],
)
def test_base_and_embedding_models_are_asked_in_their_own_form(
    start: Callable[..., Run], refused: set[str], answered: str
) -> None:
    run = start(model("a"))
    for endpoint in refused:
        run.service.overrides[f"/a/v1/{endpoint}"] = lambda _: (400, {"error": "no chat template"})
    assert run() == 0
    assert f"a: answers {answered}" in run.lines


@pytest.mark.parametrize(
    ("task", "asked"), [(Task.EMBED, "/a/v1/embeddings"), (Task.SCORE, "/a/v1/score")]
)
def test_a_model_that_pools_is_asked_for_its_task_alone(
    start: Callable[..., Run], task: Task, asked: str
) -> None:
    run = start(model("a", task=task), model("b"))
    assert run() == 0
    assert f"a: answers {asked.rpartition('/')[2]}" in run.lines
    assert "b: answers chat/completions" in run.lines
    assert {path for path in run.service.asked if path.startswith("/a/v1/")} == {
        "/a/v1/models",
        asked,
    }


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        (Task.EMBED, b'{"data": [{"embedding": [NaN, NaN]}]}'),
        (Task.EMBED, b'{"data": [{"embedding": []}]}'),
        (Task.EMBED, b'{"data": [1]}'),
        (Task.EMBED, b'{"data": {"embedding": [1]}}'),
        (Task.SCORE, b'{"data": [{"score": NaN}]}'),
        (Task.SCORE, b'{"data": [{"score": null}]}'),
        (Task.SCORE, b'{"data": [{"score": true}]}'),
    ],
)
def test_an_answer_without_numbers_does_not_count(
    start: Callable[..., Run], task: Task, answer: bytes
) -> None:
    run = start(model("a", task=task))
    path = "embeddings" if task is Task.EMBED else "score"
    run.service.overrides[f"/a/v1/{path}"] = lambda _: (200, answer)
    assert run() == 1
    assert f"{path} answers without numbers in data[0]" in run.text


def test_a_model_that_refuses_every_form_fails(start: Callable[..., Run]) -> None:
    run = start(model("a"))
    for endpoint in ("chat/completions", "completions", "embeddings"):
        run.service.overrides[f"/a/v1/{endpoint}"] = lambda _: (400, {"error": "cannot"})
    assert run(60) == 1
    assert 'refuses the question: chat/completions: HTTP 400 {"error": "cannot"}' in run.text


def test_a_model_that_errs_once_is_asked_again(start: Callable[..., Run]) -> None:
    run = start(model("a"))
    run.service.overrides["/a/v1/chat/completions"] = lambda count: (
        (500, {"error": "engine died"}) if count == 1 else None
    )
    assert run(10) == 0
    assert 'a: does not answer: HTTP 500 {"error": "engine died"}' in run.lines


@pytest.mark.parametrize("nonsense", [b"<html>", b"[]", b'{"choices": []}'])
def test_an_answer_that_is_none_does_not_count(start: Callable[..., Run], nonsense: bytes) -> None:
    run = start(model("a"))
    run.service.overrides["/a/v1/chat/completions"] = lambda _: (200, nonsense)
    assert run() == 1


def test_nothing_that_looks_like_a_token_is_printed(start: Callable[..., Run]) -> None:
    run = start(model("a"))
    secret = "hf_" + "abcDEF123456"
    message = f"OSError: 401 for url with token {secret}"
    run.service.applications["a"] = run.service.fail("a", message)
    run.service.overrides["/a/v1/models"] = lambda _: (500, {"error": secret})
    assert run(60) == 1
    assert secret not in run.text
    assert "[secret]" in run.text


def ray_service(pending: str = "", generation: int = 2, observed: int = 2, **status: Any) -> Answer:
    return 200, {
        "metadata": {"generation": generation},
        "status": {
            "observedGeneration": observed,
            "pendingServiceStatus": {"rayClusterName": pending} if pending else {},
            **status,
        },
    }


def test_what_had_failed_before_is_started_once_more_as_serve_never_does_by_itself(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"), model("b"))
    good = run.service.applications["b"]["deployed_app_config"]
    run.service.applications["a"] = run.service.fail("a")
    bad = run.service.applications["a"]["deployed_app_config"]
    run.service.revives = True  # the licence has been accepted in the meantime
    assert run(10) == 0
    assert run.lines[0] == "a: had failed and is started once more"
    assert [body["applications"] for _, body in run.service.submitted] == [[good], [bad, good]]
    for _, body in run.service.submitted:
        assert body["proxy_location"] == "EveryNode"
        assert body["http_options"] == {"host": "0.0.0.0", "port": 8000}


def replicas_in(state: str) -> list[dict[str, str]]:
    return [{"replica_id": "b", "state": "STOPPING"}, {"replica_id": "a", "state": state}]


@pytest.mark.parametrize(
    ("ray", "state", "stays"),
    [
        # From then on 2.49.1 answers 503 though a replica runs, so nothing is lost by a removal.
        ("2.49.1", "RUNNING", False),
        ("2.60.0", "RUNNING", True),
        # Nothing of it has ever answered.
        ("2.60.0", "STARTING", False),
    ],
)
def test_a_failed_application_whose_old_replicas_answer_is_never_taken_out(
    ray: str, state: str, stays: bool, start: Callable[..., Run]
) -> None:
    run = start(model("a"), model("b"), ray=ray)
    good = run.service.applications["b"]["deployed_app_config"]
    failed = run.service.fail("a")
    for deployment in failed["deployments"].values():
        deployment["replicas"] = replicas_in(state)
    run.service.applications["a"] = failed
    bad = failed["deployed_app_config"]
    run.service.revives = True
    assert run(10) == 0
    assert run.lines[0] == "a: had failed and is started once more"
    submitted = [body["applications"] for _, body in run.service.submitted]
    if stays:
        assert submitted == [
            [{**bad, "runtime_env": {"env_vars": {"RAY_LLM_RESTARTS": "1"}}}, good]
        ]
    else:
        assert submitted == [[good], [bad, good]]


def test_every_further_start_is_another_version_and_keeps_the_applications_own_variables(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"), ray="2.60.0")
    failed = run.service.fail("a")
    failed["deployments"]["LLMServer:a"]["replicas"] = replicas_in("RUNNING")
    own = {"working_dir": "w", "env_vars": {"RAY_LLM_RESTARTS": "1", "OWN": "x"}}
    failed["deployed_app_config"]["runtime_env"] = own
    run.service.applications["a"] = failed
    run.service.revives = True
    assert run(10) == 0
    [(_, body)] = run.service.submitted
    assert body["applications"][0]["runtime_env"] == {
        "working_dir": "w",
        "env_vars": {"RAY_LLM_RESTARTS": "2", "OWN": "x"},
    }


def test_a_failed_application_is_put_back_only_when_serve_has_taken_it_out(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"), model("b"))
    run.service.applications["a"] = run.service.fail("a")
    run.service.revives = True
    submitted_when_gone = []

    def slowly(times: int) -> Answer | None:
        if len(run.service.submitted) == 1 and times >= 6:
            submitted_when_gone.append(len(run.service.submitted))
            kept = {"b": run.service.applications["b"]}
            return 200, {"applications": kept}
        return None

    run.service.overrides[APPLICATIONS] = slowly
    assert run(10) == 0
    assert submitted_when_gone == [1]
    assert len(run.service.submitted) == 2


def test_what_fails_again_is_not_started_a_third_time(start: Callable[..., Run]) -> None:
    run = start(model("a"))
    run.service.applications["a"] = run.service.fail("a")
    assert run(60) == 1
    assert len(run.service.submitted) == 2


def test_nothing_is_submitted_while_kuberay_may_still_submit_something_newer(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"), model("b"))
    run.service.applications["a"] = run.service.fail("a")
    del run.service.applications["b"]
    assert run() == 1
    assert run.service.submitted == []


def test_what_had_failed_on_a_cluster_to_come_is_started_there(start: Callable[..., Run]) -> None:
    run = start(model("a"))
    run.service.ray_service = ray_service("llm-serving-new")
    run.service.applications["a"] = run.service.fail("a")
    run.service.upcoming = {"a": run.service.fail("a")}
    run()
    assert {path for path, _ in run.service.submitted} == {
        "/llm-serving-new/api/serve/applications/"
    }


def test_a_cluster_to_come_tells_why_a_model_fails_on_it(start: Callable[..., Run]) -> None:
    run = start(model("a"))
    run.service.ray_service = ray_service("llm-serving-new")
    run.service.dashboard_up = False  # a first deployment has no Service for its head yet
    run.service.upcoming = {"a": run.service.fail("a")}
    assert run(60) == 1
    assert run.lines[-2].startswith("a: ValueError: No available memory")


def test_nobody_waits_for_a_cluster_that_never_takes_over(start: Callable[..., Run]) -> None:
    run = start(model("a"), model("b"))
    run.service.ray_service = ray_service("llm-serving-new")
    run.service.upcoming = {
        "a": run.service.fail("a"),
        "b": {**run.service.applications["b"], "status": "DEPLOYING"},
    }

    def loaded(asked: int) -> Answer | None:
        if asked == 4:
            run.service.upcoming["b"]["status"] = "RUNNING"
        return None

    run.service.overrides["/llm-serving-new/api/serve/applications/"] = loaded
    assert run(600) == 1
    assert run.lines[-3:] == [
        "a: ValueError: No available memory for the cache blocks. Try increasing "
        "`gpu_memory_utilization`.",
        "b: runs in the new Ray cluster, which takes over once all models run there",
        "2 of 2 models do not answer",
    ]


def test_the_old_cluster_does_not_count_while_a_new_one_is_started(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"))
    run.service.ray_service = ray_service("llm-serving-new")
    assert run() == 1
    assert not [path for path in run.service.asked if path.startswith("/a/")]
    run.service.ray_service = ray_service()
    assert run() == 0


def test_an_edit_that_kuberay_has_not_seen_is_waited_for_but_not_for_ever(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_view, "SETTLE_SECONDS", 0.5)
    run = start(model("a"))
    run.service.ray_service = ray_service(generation=3, observed=2)
    assert run(10) == 0
    assert run.lines[0] == "a: KubeRay has not yet seen the new configuration"


def refusal(count: int, cluster: str = "llm-serving-old", answer: str = "") -> dict[str, Any]:
    """An event of KubeRay 1.6.2."""
    answer = answer or '400 Bad Request {"detail": "route_prefix /a stands twice"}'
    return {
        "metadata": {"name": "llm-serving.17"},
        "count": count,
        "message": f"Failed to update serve applications to the RayCluster ai/{cluster}: "
        f"UpdateDeployments fail: {answer}",
    }


def active(name: str = "llm-serving-old", **more: Any) -> Answer:
    return ray_service(activeServiceStatus={"rayClusterName": name}, **more)


def test_a_configuration_that_ray_refuses_ends_the_test_with_rays_answer(
    start: Callable[..., Run],
) -> None:
    """KubeRay tries again for ever, and says so only in an event."""
    run = start(model("a"), model("b"))
    run.service.ray_service = active()
    del run.service.applications["a"]

    def again(times: int) -> Answer | None:
        return (200, {"items": [refusal(3 if times == 1 else 4)]})

    run.service.overrides[f"{EVENTS}?{EVENT_QUERY}"] = again
    assert run(60) == 1
    assert "a: Ray Serve refuses what KubeRay submits: 400 Bad Request" in run.text
    assert "route_prefix /a stands twice" in run.text


@pytest.mark.parametrize(
    "event",
    [
        refusal(3),  # of an earlier configuration: nothing has been refused since
        refusal(3, cluster="llm-serving-other"),
        refusal(3, answer="503 Service Unavailable"),
    ],
)
def test_an_old_refusal_another_clusters_and_an_outage_are_waited_for(
    event: dict[str, Any], start: Callable[..., Run]
) -> None:
    run = start(model("a"))
    run.service.ray_service = active()
    run.service.events = [event]
    if event != refusal(3):
        counts = iter(range(4, 100))
        run.service.overrides[f"{EVENTS}?{EVENT_QUERY}"] = lambda _: (
            200,
            {"items": [{**event, "count": next(counts)}]},
        )
    assert run(10) == 0
    assert "refuses" not in run.text


def test_events_that_may_not_be_read_are_no_failure(start: Callable[..., Run]) -> None:
    run = start(model("a"))
    run.service.ray_service = active()
    run.service.overrides[f"{EVENTS}?{EVENT_QUERY}"] = lambda _: (403, {})
    assert run(10) == 0


def test_a_ray_service_that_kuberay_refuses_fails_every_model(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_view, "SETTLE_SECONDS", 0.2)
    run = start(model("a"))
    refused = {"type": "Ready", "reason": "ValidationFailed", "message": "name too long"}
    run.service.ray_service = ray_service(conditions=[refused])
    run.service.dashboard_up = False
    assert run(10) == 1
    assert "a: KubeRay refuses the RayService: name too long" in run.lines


def group(name: str, replicas: int, *workers_to_delete: str) -> dict[str, Any]:
    return {
        "groupName": name,
        "replicas": replicas,
        "maxReplicas": 4,
        "scaleStrategy": {"workersToDelete": list(workers_to_delete)},
    }


def worker(group: str, name: str, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    labels = {"ray.io/group": group}
    return {"metadata": {"name": name, "labels": labels, **metadata}, "status": {"phase": phase}}


def with_workers(run: Run) -> Run:
    """Sets up a cluster in which KubeRay wrote one worker per group although t4 has more."""
    run.service.ray_service = ray_service(activeServiceStatus={"rayClusterName": "llm-serving-a"})
    run.service.groups = [group("l4", 1), group("t4", 1)]
    run.service.pods = [
        worker("l4", "l4-a"),
        worker("t4", "t4-a"),
        worker("t4", "t4-b"),
        worker("t4", "t4-c", "Pending"),
    ]
    return run


def counts(run: Run) -> list[int]:
    return [group["replicas"] for group in run.service.groups]


def test_workers_that_kuberay_no_longer_counts_are_counted_again(start: Callable[..., Run]) -> None:
    run = with_workers(start(model("a")))
    assert run() == 0
    assert counts(run) == [1, 3]
    assert "t4: 3 workers again, of which KubeRay kept 1" in run.lines
    run.lines.clear()
    assert run() == 0
    assert not [line for line in run.lines if "workers" in line]


@pytest.mark.parametrize(
    "leaving",
    [
        worker("t4", "t4-d", "Failed"),
        worker("t4", "t4-d", deletionTimestamp="2026-11-26T00:00:00Z"),
        worker("t4", "t4-to-delete"),
    ],
)
def test_workers_that_leave_do_not_count(
    start: Callable[..., Run], leaving: dict[str, Any]
) -> None:
    run = with_workers(start(model("a")))
    run.service.groups = [group("t4", 3, "t4-to-delete")]
    run.service.pods.append(leaving)
    assert run() == 0
    assert counts(run) == [3]


def test_no_more_workers_are_counted_than_a_group_may_have(start: Callable[..., Run]) -> None:
    run = with_workers(start(model("a")))
    run.service.pods += [worker("t4", f"t4-{number}") for number in range(4)]
    assert run() == 0
    assert counts(run) == [1, 4]


def test_a_number_that_the_autoscaler_changes_meanwhile_is_looked_at_again(
    start: Callable[..., Run],
) -> None:
    run = with_workers(start(model("a")))
    run.service.overrides["/a/v1/models"] = lambda count: (404, {}) if count < 3 else None
    patched = run.service.patched

    def autoscaler_was_first(operations: list[dict[str, Any]]) -> Answer:
        run.service.groups[1]["replicas"] += 1
        run.service.patched = patched  # type: ignore[method-assign]
        return patched(operations)

    run.service.patched = autoscaler_was_first  # type: ignore[method-assign]
    assert run(10) == 0
    assert "t4: 3 workers again, of which KubeRay kept 2" in run.lines


def test_if_the_job_may_not_count_workers_it_says_so_once_and_continues(
    start: Callable[..., Run],
) -> None:
    run = with_workers(start(model("a")))
    run.service.overrides["/a/v1/models"] = lambda count: (404, {}) if count < 3 else None
    refused = f"{RAY_CLUSTERS}/llm-serving-a"
    run.service.overrides[refused] = lambda _: (403, {"message": "forbidden"})
    assert run(10) == 0
    reported = [line for line in run.lines if "workers" in line]
    assert reported == [
        'numbers of workers stay as KubeRay wrote them: HTTP 403 {"message": "forbidden"}'
    ]
    assert run.service.asked.count(refused) == 1


def with_jobs(run: Run, asked_by: str | None = None) -> Run:
    """Leaves two Jobs in the namespace besides the running one, which the RayService names."""
    run.service.left("smoke-test-0000000001")
    run.service.left("smoke-test-0000000002")
    run.service.left(run.env["JOB_NAME"])
    code, service = ray_service()
    service["metadata"]["annotations"] = {JOB_ANNOTATION: asked_by or run.env["JOB_NAME"]}
    run.service.ray_service = (code, service)
    return run


def names(jobs: list[dict[str, Any]]) -> list[str]:
    return [job["metadata"]["name"] for job in jobs]


def test_jobs_that_interrupted_updates_left_are_removed_with_their_pods(
    start: Callable[..., Run],
) -> None:
    run = with_jobs(start(model("a")))
    assert run() == 0
    assert names(run.service.jobs) == [run.env["JOB_NAME"]]
    assert run.lines[:2] == [
        "removed smoke-test-0000000001, which an interrupted update had left",
        "removed smoke-test-0000000002, which an interrupted update had left",
    ]
    # Without this parameter the API would not delete the pods of a Job.
    assert all(path.endswith("?propagationPolicy=Background") for path in run.service.deleted)


def test_a_job_that_was_left_itself_removes_none(start: Callable[..., Run]) -> None:
    run = with_jobs(start(model("a")), asked_by="smoke-test-0000000002")
    assert run() == 0
    assert run.service.deleted == []


@pytest.mark.parametrize(
    "label",
    [
        {"app.kubernetes.io/instance": "another-service"},
        {"app.kubernetes.io/component": "nightly-schedule"},
    ],
)
def test_another_services_jobs_and_jobs_of_another_kind_are_left_alone(
    start: Callable[..., Run], label: dict[str, str]
) -> None:
    run = with_jobs(start(model("a")))
    run.service.left("smoke-test-of-others", label)
    assert run() == 0
    assert names(run.service.jobs) == [run.env["JOB_NAME"], "smoke-test-of-others"]


@pytest.mark.parametrize("code", [404, 409])
def test_a_job_that_somebody_else_is_removing_does_not_keep_the_others(
    start: Callable[..., Run], code: int
) -> None:
    run = with_jobs(start(model("a")))
    first = f"{JOBS}/smoke-test-0000000001?propagationPolicy=Background"
    run.service.overrides[first] = lambda _: (code, {})
    assert run() == 0
    assert len(run.service.deleted) == 2
    assert run.lines[0] == "removed smoke-test-0000000002, which an interrupted update had left"


@pytest.mark.parametrize("answer", [(403, {}), (500, {}), (200, b"<html>"), (200, {"items": [{}]})])
def test_a_refused_list_of_jobs_is_no_failure(start: Callable[..., Run], answer: Answer) -> None:
    run = with_jobs(start(model("a")))
    selector = urlencode({"labelSelector": run.env["JOB_LABELS"]})
    run.service.overrides[f"{JOBS}?{selector}"] = lambda _: answer
    assert run() == 0
    assert run.lines[0].startswith("Jobs that interrupted updates may have left stay: ")
    assert run.service.deleted == []


def test_a_refused_removal_is_no_failure(start: Callable[..., Run]) -> None:
    run = with_jobs(start(model("a")))
    first = f"{JOBS}/smoke-test-0000000001?propagationPolicy=Background"
    run.service.overrides[first] = lambda _: (403, {"message": "forbidden"})
    assert run() == 0
    assert run.lines[0] == (
        'Jobs that interrupted updates may have left stay: HTTP 403 {"message": "forbidden"}'
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "https://127.0.0.1:9"])
def test_jobs_stay_where_there_is_no_api_or_no_account(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(service_view, "SETTLE_SECONDS", 0.0)
    run = start(model("a"))
    run.env["KUBERNETES_URL"] = url
    assert run(10) == 0
    assert run.lines[0].startswith("Jobs that interrupted updates may have left stay: ")


def test_nothing_reachable_ends_at_the_deadline_with_the_reason(tmp_path: Path) -> None:
    run = Run(Service((model("a"),)), "http://127.0.0.1:9", tmp_path)
    del run.env["KUBERNETES_URL"]
    assert run(0.1) == 1
    assert "the Serve API does not answer" in run.text


def test_jobs_of_the_tests_former_name_are_removed_too(start: Callable[..., Run]) -> None:
    run = with_jobs(start(model("a")))
    run.service.left("ask-models-0000000003", {"app.kubernetes.io/component": "ask-models"})
    assert run() == 0
    assert names(run.service.jobs) == [run.env["JOB_NAME"]]


def test_it_runs_as_the_job_runs_it(start: Callable[..., Run], tmp_path: Path) -> None:
    run = start(model("a"))
    files = service_manifests(run.service.plan).smoke_test
    [volume] = [
        item
        for item in run.service.job["spec"]["template"]["spec"]["volumes"]
        if "configMap" in item
    ]
    for item in volume["configMap"]["items"]:
        path = tmp_path / "mounted" / item["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files.script["data"][item["key"]])
    [container] = run.service.job["spec"]["template"]["spec"]["containers"]
    _, flag, text = container["command"]
    text = text.replace("/opt/smoke-test", str(tmp_path / "mounted"))
    done = subprocess.run(
        [sys.executable, flag, text], env=run.env, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "answers chat/completions" in done.stdout


def test_the_script_blanks_the_same_tokens_as_the_messages_of_a_preview() -> None:
    assert http_json.TOKEN == problems.TOKEN
    assert http_json.one_line("of api_org_0123456789abcdefghij, hf_0123456789") == (
        "of [secret], [secret]"
    )


# Applications of models that are handed over from one version to another


def test_the_model_is_the_application_with_its_route_that_is_not_being_removed(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"))
    new = run.service.applications["a"]
    old_config = {**new["deployed_app_config"], "name": "a-old", "args": {"llm_configs": [{}]}}
    old = {**new, "name": "a-old", "status": "DELETING", "deployed_app_config": old_config}
    for applications in ({"a": new, "old": old}, {"old": old, "a": new}):
        run.service.applications = applications
        assert run() == 0


def test_an_application_without_a_route_yet_is_known_by_the_one_that_it_is_to_have(
    start: Callable[..., Run],
) -> None:
    run = start(model("a"))
    run.service.applications["a"] |= {"route_prefix": None, "status": "DEPLOYING"}
    assert run() == 1
    assert "previous configuration" not in run.text
    assert "is not deployed" not in run.text


def test_nothing_is_started_once_more_while_a_version_starts_beside_another(
    start: Callable[..., Run],
) -> None:
    """Whoever hands over decides what becomes of either version."""
    run = start(model("a"))
    config = run.service.applications["a"]["deployed_app_config"]
    beside = {**config, "name": "a-new", "route_prefix": "/starting/a-new"}
    run.service.applications["a"] = run.service.fail("a")
    run.service.applications["beside"] = {
        **run.service.applications["a"],
        "name": "a-new",
        "route_prefix": "/starting/a-new",
        "status": "DEPLOYING",
        "deployed_app_config": beside,
    }
    run.service.revives = True
    assert run() == 1
    assert run.service.submitted == []


@pytest.mark.parametrize(
    "options",
    [
        {"max_ongoing_requests": 1},
        {"autoscaling_config": {"min_replicas": 0, "max_replicas": 1}},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_model_that_is_still_scaled_as_before_does_not_count(
    options: dict[str, Any], start: Callable[..., Run]
) -> None:
    """Its arguments are the same for every range."""
    run = start(model("a"))
    new = run.service.applications["a"]
    ingress, override = new["deployed_app_config"]["deployments"]
    deployed = {**new["deployed_app_config"], "deployments": [ingress, {**override, **options}]}
    run.service.applications["a"] = {**new, "deployed_app_config": deployed}
    assert run() == 1
    assert "a: not ready after 1 s: still runs with its previous configuration" in run.lines
    run.service.applications["a"] = new
    assert run() == 0
