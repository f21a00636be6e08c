"""The check of Ray releases, without Ray: what it deploys, counts and records."""

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from localcloud.go_build import BuildError
from models.catalog import ray_releases
from scripts.ray_releases import __main__ as command
from scripts.ray_releases import environments, measurements, results, serve_api
from scripts.ray_releases.checks import CHECKS, Seen
from scripts.ray_releases.handover import hand_over
from scripts.ray_releases.nodes import STANDINS, Nodes
from scripts.ray_releases.stack import EDITED, NODES, SLEEPING, SPLIT, write
from scripts.ray_releases.traffic import Traffic

RELEASES = list(ray_releases())


@pytest.mark.parametrize("ray", RELEASES)
def test_every_release_of_the_table_was_checked(ray: str) -> None:
    row = next((row for row in results.read() if row["ray"] == ray), None)
    assert row is not None, f"run `make ray-release RAY={ray}` and commit its results"
    assert results.passed(row), results.table([row])
    assert row["versions"]["vllm"] == ray_releases()[ray].vllm


def test_no_release_was_checked_that_left_the_table() -> None:
    assert [row["ray"] for row in results.read()] == RELEASES


@pytest.mark.parametrize("ray", RELEASES)
def test_the_stack_plans_on_every_release(ray: str) -> None:
    written = write(ray)
    by_name = {model.name: model for model in written.plan.models}
    assert by_name[SLEEPING].replicas.min == 0
    assert by_name[SPLIT].tensor_parallel_size == 2
    assert [group.name for group in written.groups] == ["head", "routers", *NODES]
    assert {model.pool for model in written.plan.models} == set(NODES)


def test_an_edit_changes_one_application() -> None:
    old, new = (write("2.60.0", edits).serve_config["applications"] for edits in (0, 1))
    changed = [a["route_prefix"] for a, b in zip(old, new, strict=True) if a != b]
    assert changed == [f"/{EDITED}"]


def test_an_environment_needs_the_release_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "_published", dict)
    with pytest.raises(BuildError, match=r"does not say when Ray 2\.60\.0 came out"):
        environments.install("2.60.0")


def test_a_release_without_a_row_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["scripts.ray_releases", "1.2.3"])
    with pytest.raises(SystemExit):
        command.main()
    assert "Ray 1.2.3 is in no row" in capsys.readouterr().err


def test_a_node_has_the_variables_of_its_group(tmp_path: Path) -> None:
    written = write("2.60.0")
    nodes = Nodes(tmp_path / "ray", written, tmp_path / "vllm.yaml")
    try:
        found = {group.name: nodes.environment_of(group.name, group) for group in written.groups}
    finally:
        nodes.__exit__()
    for group in written.groups:
        assert group.variables.items() <= found[group.name].items()
        assert found[group.name]["PYTHONPATH"].startswith(str(STANDINS))
        assert found[group.name]["RAYLLM_VLLM_ENGINE_CLS"] == "echo_engine.EchoEngine"
    # Each node has ports of its own in place of 8000, all below one head.
    ports = [variables["POD_PORTS"] for variables in found.values()]
    assert len(set(ports)) == len(ports)


def test_results_replace_their_own_release(tmp_path: Path) -> None:
    path = tmp_path / "results.yaml"
    good = [Seen(name, True, "as it must be") for name in CHECKS]
    for ray in ("2.60.0", "2.9.3", "2.60.0"):
        results.record(ray, "2026-11-28", {"vllm": "1"}, good, path)
    assert [row["ray"] for row in results.read(path)] == ["2.9.3", "2.60.0"]
    assert all(results.passed(row) for row in results.read(path))


def test_a_check_that_failed_or_did_not_run_shows(tmp_path: Path) -> None:
    path = tmp_path / "results.yaml"
    first, second, *_ = CHECKS
    results.record("2.60.0", "2026-11-28", {}, [Seen(first, False, "2 of 3 | RUNNING")], path)
    (row,) = results.read(path)
    assert not results.passed(row)
    assert f"| {first} | FAILED: 2 of 3 \\| RUNNING |" in results.table([row])
    assert f"| {second} | not run |" in results.table([row])


def test_replicas_of_a_model_are_not_those_of_its_ingress() -> None:
    running = {"replica_id": "a", "node_id": "n1", "state": "RUNNING"}
    starting = {"replica_id": "b", "node_id": "n2", "state": "STARTING"}
    details = {
        "m-0123abcd": {
            "status": "RUNNING",
            "route_prefix": "/m",
            "deployments": {
                "LLMServer:m": {"replicas": [running, starting]},
                "OpenAiIngress": {"replicas": [{**running, "replica_id": "c"}]},
            },
        },
        "m-4567cdef": {"status": "DELETING", "route_prefix": "/m", "deployments": {}},
    }
    assert serve_api.model_replicas(details, "m", "OpenAiIngress") == {"a": "n1"}
    with pytest.raises(KeyError):
        serve_api.replicas(details, "absent")
    assert serve_api.replicas({}, "absent") == {}  # Serve does not answer


class _Api(serve_api.ServeApi):
    """Ray Serve, which takes every config and starts it at once."""

    def __init__(self, config: dict[str, Any]):
        self.deployed = [config]

    def deploy(self, config: Mapping[str, Any]) -> tuple[int, str]:
        self.deployed.append(dict(config))
        return 200, ""

    def applications(self) -> serve_api.Details:
        running = {"replica_id": "a", "node_id": "n1", "state": "RUNNING"}
        return {
            item["name"]: {
                "status": "RUNNING",
                "route_prefix": item["route_prefix"],
                "deployments": {each["name"]: {"replicas": [running]}},
            }
            for item in self.deployed[-1]["applications"]
            for each in item["deployments"]
            if each["name"].startswith("LLMServer")
        }


def test_an_edited_model_is_handed_over_as_in_an_up() -> None:
    old, new = write("2.60.0"), write("2.60.0", 1)
    api = _Api(old.serve_config)
    assert hand_over(api, old, new)
    routes = [[item["route_prefix"] for item in config["applications"]] for config in api.deployed]
    beside = [route for route in routes[1] if route.startswith(f"/starting/{EDITED}-")]
    assert len(beside) == 1
    assert f"/{EDITED}" in routes[1]
    assert api.deployed[2:] == [new.serve_config]


def test_a_measured_option_is_written_where_it_counts() -> None:
    [application] = measurements.config_of("2.60.0", EDITED, max_ongoing_requests=3)["applications"]
    assert application["name"] == EDITED
    assert application["deployments"][1]["max_ongoing_requests"] == 3
    measurements.drop_ingress(application)
    assert [item["name"] for item in application["deployments"]] == [
        "LLMServer:qwen2_5-1_5b-instruct"
    ]


class _Every(http.server.BaseHTTPRequestHandler):
    """Answers each second request of `unsteady` with 500."""

    count = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _Every.count += body["model"] == "unsteady"
        lost = body["model"] == "unsteady" and _Every.count % 2 == 0
        self.send_response(500 if lost else 200)
        self.end_headers()
        self.wfile.write(body["model"].encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Every)
    threading.Thread(target=served.serve_forever).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


def test_lost_requests_are_counted_by_model(server: str) -> None:
    with Traffic(server, ("steady", "unsteady"), pause_seconds=0) as traffic:
        while min(traffic.sent["steady"], traffic.sent["unsteady"]) < 4:
            pass
    assert traffic.lost["steady"] == 0
    assert traffic.lost["unsteady"] == traffic.sent["unsteady"] // 2
    assert traffic.seen("steady") == f"lost 0 of {traffic.sent['steady']}"
    assert traffic.reasons == {"HTTP 500 after 0 s": traffic.lost["unsteady"]}
