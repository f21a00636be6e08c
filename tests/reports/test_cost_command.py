"""`ray-llm cost` as people run it, against small servers in place of Prometheus and the API."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from reports.command_line import main
from reports.sources import plan_of_file
from tests.diagnosis.api_server import TOKEN, ApiServer, running
from tests.diagnosis.snapshots import node, well
from tests.diagnosis.test_gathering import answers
from tests.manifests.monitoring.prometheus import running_prometheus
from tests.planning.small_stacks import small, values, write_stack
from tests.reports.prometheus_server import PrometheusServer, answering

WITHIN, ABOVE, UNKNOWN = 0, 1, 2
MODELS = [small(name="chat", replicas={"min": 1, "max": 2}), small(name="rare")]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    pools = ["l4", "l4-x2"]
    return write_stack(tmp_path, "prod", values(MODELS, gpuPools=pools))


@pytest.fixture
def prometheus() -> Iterator[PrometheusServer]:
    replicas = {"chat-0a1b2c3d": 1.0, "chat-ffffffff": 1.0, "rare-0a1b2c3d": 0.5}
    with answering(PrometheusServer({"l4": 4.0, "routers": 1.0}, replicas)) as server:
        yield server


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], stack: Path) -> Run:
    def cost(*options: str) -> tuple[int, str, str]:
        code = main(["cost", "--stack-file", str(stack), *options])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        assert TOKEN not in captured.out + captured.err
        return code, captured.out, captured.err

    return cost


def test_prometheus_knows_the_hours_of_nodes_and_of_models(
    run: Run, prometheus: PrometheusServer
) -> None:
    code, out, _ = run("--prometheus", prometheus.url, "--since", "10h", "--json")
    assert code == WITHIN
    data = json.loads(out)
    l4, l4_x2, _ = data["pools"]
    assert data["whole"] is True
    assert l4["nodeHours"] == pytest.approx(40, rel=0.01)
    assert l4["idleGpuHours"] == pytest.approx(40 - 25, rel=0.01)
    hours = {model["model"]: model["gpuHours"] for model in l4["models"]}
    assert hours == {"chat": pytest.approx(20, rel=0.01), "rare": pytest.approx(5, rel=0.01)}
    assert l4["usd"] == pytest.approx(40 * 1.0, rel=0.02)
    # A pool of which the autoscaler says nothing had no node.
    assert l4_x2["nodeHours"] == 0
    assert l4["plannedNodeHours"] == {
        "minimum": pytest.approx(20),
        "typical": pytest.approx(26),
        "maximum": pytest.approx(40),
    }
    assert 'namespace="ai"' in prometheus.asked[0]["query"][0]


def test_more_than_the_plans_maximum_is_exit_code_1(run: Run, prometheus: PrometheusServer) -> None:
    prometheus.nodes["l4"] = 4.2
    code, out, _ = run("--prometheus", prometheus.url, "--since", "24h")
    assert code == ABOVE
    assert "l4: its nodes ran 101 hours, more than the 96 of the plan" in " ".join(out.split())


def test_a_period_that_prometheus_knows_in_part_is_told(
    run: Run, prometheus: PrometheusServer
) -> None:
    prometheus.share = 0.5
    code, out, _ = run("--prometheus", prometheus.url, "--since", "10h")
    text = " ".join(out.split())
    assert code == WITHIN
    assert "Of 5.0 h of the period Prometheus has no sample" in text
    assert "at least, as far as it is known" in text


def test_the_question_is_bounded_however_long_the_period_is(
    run: Run, prometheus: PrometheusServer
) -> None:
    run("--prometheus", prometheus.url, "--since", "92d", "--match", 'cluster=a"b')
    asked = prometheus.asked[0]
    assert (int(asked["end"][0]) - int(asked["start"][0])) / int(asked["step"][0]) <= 2000
    assert 'cluster="a\\"b"' in asked["query"][0]


def test_a_prometheus_without_this_stack_knows_nothing(
    run: Run, prometheus: PrometheusServer
) -> None:
    prometheus.nodes, prometheus.replicas = {}, {}
    code, out, _ = run("--prometheus", prometheus.url)
    assert code == UNKNOWN
    assert "has no autoscaler_active_nodes of this stack in the period" in " ".join(out.split())


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        ((404, b"not found"), "does not answer as a Prometheus does (HTTP 404: not found)"),
        ((200, b"<html>"), "does not answer as a Prometheus does"),
        ((200, b'{"status": "success", "data": {"result": 3}}'), "does not answer as"),
        ((200, b"[]"), "does not answer as"),
        ((200, b"\xff\xfe"), "does not answer as"),
        ((422, b'{"status": "error", "error": "too many samples"}'), "too many samples"),
    ],
)
def test_what_is_no_prometheus_is_one_sentence(
    run: Run, prometheus: PrometheusServer, instead: tuple[int, bytes], said: str
) -> None:
    prometheus.instead = instead
    code, out, err = run("--prometheus", prometheus.url)
    assert (code, out) == (UNKNOWN, "")
    assert said in err


@pytest.mark.parametrize(
    "series",
    [
        {"metric": 3, "values": []},
        {"metric": {"NodeType": "l4"}, "values": 4},
        {"metric": {"NodeType": "l4"}, "values": [[10**400, "1"], [1, 10**400]]},
        {"metric": {"NodeType": "l4"}, "values": [[1, "-4"], [2, "1e308"]]},
        {"metric": {"NodeType": "l4"}, "values": [3, [1], ["a", "b"], {}, [1, "NaN"], [1, "+Inf"]]},
        {},
    ],
)
def test_series_of_another_form_count_for_nothing(
    run: Run, prometheus: PrometheusServer, series: dict[str, Any]
) -> None:
    body = {"status": "success", "data": {"result": [series]}}
    prometheus.instead = (200, json.dumps(body).encode())
    code, out, _ = run("--prometheus", prometheus.url, "--since", "10h", "--json")
    hours = {pool["nodeHours"] for pool in json.loads(out)["pools"]}
    assert (code, hours <= {None, 0}) in ((UNKNOWN, True), (WITHIN, True))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--prometheus", "http://127.0.0.1:1"), "http://127.0.0.1:1 cannot be asked"),
        (("--prometheus", "localhost:9090"), "is no address of a Prometheus"),
        (("--prometheus", "http://user:pass-word@127.0.0.1:1"), "http://127.0.0.1:1 cannot"),
        (("--prometheus", "http://[::1"), "is no address"),
        (("--prometheus", "http://h:99999"), "is no address"),
        (("--since", "yesterday"), "is no age"),
        (("--since", "200d"), "is not between 10m and 92d"),
        (("--since", "1s"), "is not between"),
        (("--match", "cluster"), "is no label. Write LABEL=VALUE."),
    ],
)
def test_bad_input_is_one_sentence(run: Run, options: tuple[str, ...], said: str) -> None:
    code, out, err = run(*options)
    assert (code, out) == (UNKNOWN, "")
    assert said in err
    assert "pass-word" not in err


def test_in_googles_store_the_cluster_is_asked_for_too(
    run: Run, prometheus: PrometheusServer, stack: Path
) -> None:
    """It has the metrics of all clusters of a project, whose services often have one name."""
    content = yaml.safe_load(stack.read_text())
    content["config"]["ray-llm:monitoring"] = "gmp"
    stack.write_text(yaml.safe_dump(content))
    run("--prometheus", prometheus.url)
    run("--prometheus", prometheus.url, "--match", "cluster=other")
    first, *_, last = (asked["query"][0] for asked in prometheus.asked)
    name = plan_of_file(stack).cluster.name
    assert f'cluster="{name}",namespace="ai"' in first
    assert 'cluster="other",namespace="ai"' in last


def test_routers_of_a_model_have_no_gpus(run: Run, tmp_path: Path) -> None:
    """On a real Prometheus: an hour of one engine, beside three replicas of its ingress."""
    now = int(time.time()) // 60 * 60
    one, hours = 'application="chat-0a1b2c3d",namespace="ai"', range(now - 3 * 3600, now, 60)
    series = {
        f'ray_serve_deployment_replica_healthy{{deployment="LLMServer:chat",{one}}}': 1,
        f'ray_serve_deployment_replica_healthy{{deployment="OpenAiIngress",{one}}}': 3,
        'autoscaler_active_nodes{NodeType="l4",namespace="ai"}': 1,
    }
    samples = "".join(
        f"# TYPE {name.partition('{')[0]} gauge\n" * (index != 1)
        + "".join(f"{name} {value} {moment}\n" for moment in hours)
        for index, (name, value) in enumerate(series.items())
    )
    with running_prometheus(tmp_path, samples=f"{samples}# EOF\n") as prometheus:
        _, out, _ = run("--prometheus", prometheus.url, "--since", "1h", "--json")
    [pool, *_] = json.loads(out)["pools"]
    [chat, _] = pool["models"]
    assert pool["nodeHours"] == pytest.approx(1, abs=0.1)
    assert chat["gpuHours"] == pytest.approx(1, abs=0.1)


@pytest.fixture
def cluster(tmp_path: Path, stack: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with running(ApiServer()) as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        api.answers = answers(replace(well(plan_of_file(stack))))
        api.answers["/api/v1/namespaces/default/events"] = {"items": []}
        yield api


def nodes(*names: str) -> dict[str, Any]:
    found = [node(name) for name in names]
    for item in found:
        item["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    return {"items": found}


def test_the_cluster_knows_the_nodes_that_are_there(run: Run, cluster: ApiServer) -> None:
    cluster.answers["/api/v1/nodes"] = nodes("gke-l4-1", "gke-l4-2")
    code, out, _ = run("--since", "10h")
    text = " ".join(out.split())
    assert code == WITHIN
    assert "by the Kubernetes API" in text
    assert "l4 20-40 20" in text
    assert "are not known: Kubernetes forgets them" in text
    assert {method for method, _, _ in cluster.asked} == {"GET"}


def test_without_the_right_to_list_nodes_the_cost_is_not_known(
    run: Run, cluster: ApiServer
) -> None:
    cluster.answers["/api/v1/nodes"] = 403
    cluster.answers["/api/v1/namespaces/default/events"] = 403
    code, out, _ = run("--since", "10h", "--json")
    data = json.loads(out)
    assert code == UNKNOWN
    assert [pool["nodeHours"] for pool in data["pools"]] == [None, None, None]
    assert data["usd"] is None
    assert any("nodes: you have no right" in text for text in data["unseen"])
    assert any("Events of nodes: you have no right" in text for text in data["unseen"])


@pytest.mark.parametrize(
    "event",
    [
        {"involvedObject": "gke-l4-1"},
        {"involvedObject": {"kind": "Node", "name": 7}},
        {"involvedObject": {"kind": "Node", "name": "gke-l4-1"}, "metadata": "x", "series": 3},
    ],
)
def test_half_an_event_counts_for_nothing(
    run: Run, cluster: ApiServer, event: dict[str, Any]
) -> None:
    cluster.answers["/api/v1/namespaces/default/events"] = {"items": [event, 3]}
    code, _, _ = run("--since", "10h")
    assert code in (WITHIN, UNKNOWN)


def test_without_a_kubeconfig_there_is_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    code, out, err = run()
    assert (code, out) == (UNKNOWN, "")
    assert "There is no kubeconfig" in err
