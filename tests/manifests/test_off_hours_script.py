"""The schedule's program, run against a small Kubernetes API."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests import service_manifests
from manifests.off_hours.script import main
from manifests.off_hours.script_files import FOLDER
from models.off_hours import zone_data
from tests.manifests.test_off_hours import manifests_of, mounted, sleepy, window

PATH = "/apis/ray.io/v1/namespaces/ai/rayservices/llm-serving"
NIGHT = datetime(2026, 11, 30, 22, 0, tzinfo=UTC)
DAY = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


class Cluster:
    """One RayService, and what was asked of it."""

    def __init__(self, ray_service: dict[str, Any]) -> None:
        self.object = json.loads(json.dumps(ray_service))
        self.object["metadata"]["resourceVersion"] = "1"
        self.patches: list[tuple[str, list[dict[str, Any]]]] = []
        self.before_patch: Callable[[], None] = lambda: None
        self.status = 200

    @property
    def minima(self) -> dict[str, int]:
        return {
            item["name"]: item["autoscaling_config"]["min_replicas"]
            for application in yaml.safe_load(self.text)["applications"]
            for item in application["deployments"]
            if item["name"].startswith("LLMServer")
        }

    @property
    def text(self) -> str:
        text: str = self.object["spec"]["serveConfigV2"]
        return text

    def write(self, text: str) -> None:
        self.object["spec"]["serveConfigV2"] = text
        self.changed()

    def changed(self) -> None:
        metadata = self.object["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if self.status != 200:
            return self.status, {"kind": "Status"}
        if not path.startswith(PATH):
            return 404, {"kind": "Status"}
        if method == "PATCH":
            self.patches.append((path, body))
            self.before_patch()
            test, change = body
            assert (test["op"], test["path"]) == ("test", "/metadata/resourceVersion")
            if test["value"] != self.object["metadata"]["resourceVersion"]:
                return 422, {"kind": "Status"}
            assert change["path"] == "/spec/serveConfigV2"
            self.write(change["value"])
        return 200, self.object


class Run:
    def __init__(self, cluster: Cluster, url: str, folder: Path) -> None:
        self.cluster, self.lines = cluster, list[str]()
        self.env = {
            "NAMESPACE": "ai",
            "RAY_SERVICE": "llm-serving",
            "ZONES": str(folder),
            "KUBERNETES_URL": url,
            "SERVICE_ACCOUNT": str(folder),
        }

    def __call__(self, now: datetime) -> int:
        return main.run(main.Settings.from_env(self.env), now, self.lines.append)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    servers: list[ThreadingHTTPServer] = []
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "Berlin").write_bytes(zone_data("Europe/Berlin"))

    def run_for(ray_service: dict[str, Any]) -> Run:
        cluster = Cluster(ray_service)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                status, found = cluster.answer(self.command, self.path, body)
                data = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_PATCH(self) -> None:
                self.do_GET()

            def log_message(self, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return Run(cluster, f"http://127.0.0.1:{server.server_port}", tmp_path)

    yield run_for
    for server in servers:
        server.shutdown()
        server.server_close()


def service(*names: str) -> dict[str, Any]:
    made = sleepy(window(list(names))) if names else sleepy()
    return service_manifests(made).ray_service


def test_models_sleep_at_night_and_wake_by_day(start: Callable[..., Run]) -> None:
    run = start(service())
    deployed = run.cluster.text
    assert run(NIGHT) == 0
    assert run.cluster.minima == {"LLMServer:a": 0, "LLMServer:b_c": 0}
    assert run.lines == ["Now asleep: a until Tue 01 Dec 07:00 CET, b.c until Tue 01 Dec 07:00 CET"]
    assert run(DAY) == 0
    assert run.cluster.text == deployed
    assert [path for path, _ in run.cluster.patches] == [
        f"{PATH}?fieldManager=ray-llm-off-hours"
    ] * 2


def test_a_run_that_finds_what_the_hour_wants_writes_nothing(start: Callable[..., Run]) -> None:
    run = start(service())
    assert run(DAY) == 0
    assert run(NIGHT) == run(NIGHT) == 0
    assert len(run.cluster.patches) == 1
    assert run.lines[-1].startswith("As it should be; asleep: a until")


def test_the_pods_command_does_it_with_the_files_of_its_volume_alone(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    made = sleepy(window(["a"], "UTC", sleep="0 0 * * *", wake="59 23 31 12 *"))
    run = start(service_manifests(made).ray_service)
    volume = mounted(tmp_path / "volume", made)
    pod = manifests_of(made).cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    python, *arguments = [item.replace(FOLDER, str(volume)) for item in container["command"]]
    assert python == "python3"
    env = {item["name"]: item["value"].replace(FOLDER, str(volume)) for item in container["env"]}
    reach = {key: run.env[key] for key in ("KUBERNETES_URL", "SERVICE_ACCOUNT")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env={**env, **reach},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Now asleep: a until")
    assert run.cluster.minima == {"LLMServer:a": 0, "LLMServer:b_c": 2}


def test_models_without_a_window_keep_their_minimum(start: Callable[..., Run]) -> None:
    run = start(service("b.c"))
    assert run(NIGHT) == 0
    assert run.cluster.minima == {"LLMServer:a": 2, "LLMServer:b_c": 0}


def test_runs_that_were_missed_are_made_up_for_by_the_next(start: Callable[..., Run]) -> None:
    run = start(service())
    assert run(datetime(2026, 12, 5, 3, 0, tzinfo=UTC)) == 0  # the whole Friday evening was missed
    assert set(run.cluster.minima.values()) == {0}


def test_an_update_at_night_is_followed_by_sleep_again(start: Callable[..., Run]) -> None:
    run = start(service())
    deployed = run.cluster.text
    run(NIGHT)
    run.cluster.write(deployed)  # as `pulumi up` does
    assert run(NIGHT) == 0
    assert set(run.cluster.minima.values()) == {0}


def test_a_write_in_between_is_not_overwritten(start: Callable[..., Run]) -> None:
    run = start(service())
    other = run.cluster.text.replace("max_replicas: 4", "max_replicas: 7")
    assert other != run.cluster.text

    def once() -> None:
        run.cluster.before_patch = lambda: None
        run.cluster.write(other)

    run.cluster.before_patch = once
    assert run(NIGHT) == 0
    assert "max_replicas: 7" in run.cluster.text
    assert set(run.cluster.minima.values()) == {0}


def test_somebody_who_writes_all_the_time_is_left_to_the_next_run(
    start: Callable[..., Run],
) -> None:
    run = start(service())
    run.cluster.before_patch = run.cluster.changed
    assert run(NIGHT) == 0
    assert len(run.cluster.patches) == main.TRIES
    assert set(run.cluster.minima.values()) == {2}


def test_a_hand_over_that_is_under_way_is_left_alone(start: Callable[..., Run]) -> None:
    run = start(service())
    run.cluster.write(
        run.cluster.text.replace("route_prefix: /a\n", "route_prefix: /starting/a-1\n")
    )
    assert run(NIGHT) == 0
    assert run.cluster.patches == []
    assert "replacing models" in run.lines[-1]


def test_a_second_ray_cluster_that_starts_is_left_alone(start: Callable[..., Run]) -> None:
    run = start(service())
    run.cluster.object["status"] = {"pendingServiceStatus": {"rayClusterName": "llm-serving-2"}}
    assert run(NIGHT) == 0
    assert run.cluster.patches == []
    run.cluster.object["status"] = {"pendingServiceStatus": {}}
    assert run(NIGHT) == 0
    assert len(run.cluster.patches) == 1


def test_windows_that_were_taken_out_leave_nothing_to_do(start: Callable[..., Run]) -> None:
    run = start(service())
    del run.cluster.object["metadata"]["annotations"][main.ANNOTATION]
    assert run(NIGHT) == 0
    assert run.cluster.patches == []


def test_a_service_that_is_not_there_is_no_failure_and_a_refusal_is(
    start: Callable[..., Run],
) -> None:
    run = start(service())
    run.cluster.status = 404
    assert run(NIGHT) == 0
    run.cluster.status = 403
    assert run(NIGHT) == 1
    assert "HTTP 403" in run.lines[-1]


def test_a_zone_that_is_not_here_yet_changes_nothing_and_fails(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    run = start(service())
    shutil.rmtree(tmp_path / "Europe")
    assert run(NIGHT) == 1
    assert run.cluster.patches == []


@pytest.mark.parametrize("offset", [-25, -15])
def test_a_pod_that_starts_a_moment_early_does_what_the_minute_wants(
    start: Callable[..., Run], offset: int
) -> None:
    run = start(service())
    evening = datetime(2026, 11, 30, 19, 0, tzinfo=UTC).timestamp()
    assert run(datetime.fromtimestamp(evening + offset, UTC)) == 0
    assert set(run.cluster.minima.values()) == ({0} if offset > -20 else {2})
