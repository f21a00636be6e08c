"""A hand-written RayService on the local cluster: Kubernetes, KubeRay and Ray Serve are real."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from localcloud.cluster import processes
from localcloud.cluster.kubernetes_api import Object
from tests.cluster.running import Cluster, eventually

pytestmark = pytest.mark.cluster

HERE = Path(__file__).parent
SERVICE = "/apis/ray.io/v1/namespaces/ai/rayservices/llm"


def ready(cluster: Cluster) -> bool:
    conditions = cluster.get(SERVICE).get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


@pytest.fixture(scope="module")
def service(cluster: Cluster) -> Iterator[Object]:
    for pool in json.loads((HERE / "node-pools.json").read_text()):
        cluster.node_pool(pool)
    secret = {"name": "huggingface-secret", "namespace": "ai"}
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ai"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": secret, "stringData": {"token": "hf_x"}},
    )
    started = time.monotonic()
    cluster.apply(yaml.safe_load((HERE / "rayservice.yaml").read_text()))
    eventually(lambda: ready(cluster), "the RayService is Ready", seconds=240)
    print(f"RayService Ready after {time.monotonic() - started:.0f} s")
    eventually(
        lambda: all(cluster.http(f"/{app}/v1/models")[0] == 200 for app in ("small", "large")),
        "both applications answer",
        seconds=60,
    )
    print(f"memory: {cluster.memory_bytes() / 2**30:.2f} GiB")
    yield cluster.get(SERVICE)
    cluster.delete("/api/v1/namespaces/ai")
    eventually(lambda: not cluster.items("/api/v1/pods"), "every pod is gone", seconds=60)


def test_a_chat_request_is_answered(cluster: Cluster, service: Object) -> None:
    assert cluster.chat("small", "small", "good morning") == (200, "small: good morning")


def test_an_answer_is_streamed_word_by_word(cluster: Cluster, service: Object) -> None:
    body = {"model": "small", "messages": [{"role": "user", "content": "a b c"}], "stream": True}
    status, text = cluster.http("/small/v1/chat/completions", body)
    assert status == 200
    events = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events if event != "[DONE]"]
    words = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]
    assert words == ["small:", " a", " b", " c", ""]


def test_a_wrong_model_name_gets_404(cluster: Cluster, service: Object) -> None:
    status, text = cluster.chat("small", "smaller", "hello")
    assert status == 404
    assert "smaller" in text


def test_pods_land_on_the_nodes_of_their_pool(cluster: Cluster, service: Object) -> None:
    (pod,) = cluster.ray_pods("l4")
    (node,) = cluster.nodes("l4")
    assert pod["spec"]["nodeName"] == node["metadata"]["name"]
    # Nobody wrote this toleration: the admission plugin adds it, as on GKE.
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["spec"][
        "tolerations"
    ]


def test_the_secret_is_in_the_pods_environment(cluster: Cluster, service: Object) -> None:
    (pod,) = cluster.ray_pods("l4")
    assert any(p.environ().get("HF_TOKEN") == "hf_x" for p in cluster.processes_of(pod))


def test_a_killed_worker_is_replaced(cluster: Cluster, service: Object) -> None:
    (pod,) = cluster.ray_pods("l4")
    for process in cluster.processes_of(pod):
        process.kill()
    eventually(
        lambda: (
            pod["metadata"]["uid"] not in [p["metadata"]["uid"] for p in cluster.ray_pods("l4")]
        ),
        "KubeRay removes the dead pod",
        seconds=60,
    )
    eventually(
        lambda: cluster.chat("small", "small", "again") == (200, "small: again"),
        "the model answers from a new pod",
        seconds=180,
    )


def test_requests_are_answered_while_the_control_plane_is_killed(
    cluster: Cluster, service: Object
) -> None:
    names = ("kube-apiserver", "ray-operator", "kube-scheduler", "kwok")
    killed = [p for p in processes.marked(cluster.state.mark) if p.name() in names]
    assert len(killed) == len(names)
    for process in killed:
        process.kill()
    answers = [cluster.chat("small", "small", "hold on") for _ in range(20)]
    assert answers == [(200, "small: hold on")] * 20
    eventually(lambda: cluster.get("/readyz") == "ok" and ready(cluster), "all is back", seconds=60)
    assert cluster.chat("small", "small", "still") == (200, "small: still")


def test_an_engine_that_dies_at_start_is_told_and_leaves_the_others_alone(
    cluster: Cluster, service: Object
) -> None:
    error = "No available memory for the cache blocks."
    cluster.engine_faults({"broken": {"start": error}})
    manifest = yaml.safe_load((HERE / "rayservice.yaml").read_text())
    config = yaml.safe_load(manifest["spec"]["serveConfigV2"])
    small, large = config["applications"]
    broken = json.loads(json.dumps(small).replace("small", "broken"))
    # Any GPU will do: it must not wait for the one that the small model holds.
    broken["args"]["llm_configs"][0]["deployment_config"]["ray_actor_options"] = {"num_cpus": 1}
    manifest["spec"]["serveConfigV2"] = yaml.safe_dump(
        {**config, "applications": [small, broken, large]}
    )
    cluster.apply(manifest)

    def status() -> Object:
        found = cluster.get(SERVICE)["status"]["activeServiceStatus"]["applicationStatuses"]
        return dict(found["broken"])

    eventually(
        lambda: status()["status"] == "DEPLOY_FAILED" and error in json.dumps(status()),
        "KubeRay tells the engine's error",
        seconds=180,
    )
    assert cluster.chat("small", "small", "still here") == (200, "small: still here")

    cluster.engine_faults({})
    broken["args"]["llm_configs"][0]["engine_kwargs"]["max_model_len"] = 2048
    manifest["spec"]["serveConfigV2"] = yaml.safe_dump(
        {**config, "applications": [small, broken, large]}
    )
    cluster.apply(manifest)
    eventually(
        lambda: cluster.chat("broken", "broken", "mended") == (200, "broken: mended"),
        "the corrected model answers",
        seconds=180,
    )
    cluster.apply(yaml.safe_load((HERE / "rayservice.yaml").read_text()))
    eventually(lambda: cluster.http("/broken/v1/models")[0] == 404, "the model is gone", seconds=60)


def test_a_request_wakes_a_model_and_its_node_from_zero(cluster: Cluster, service: Object) -> None:
    eventually(
        lambda: not cluster.ray_pods("l4-x2") and not cluster.nodes("l4-x2"),
        "the idle worker and its node are gone",
        seconds=180,
    )
    started = time.monotonic()
    assert cluster.chat("large", "large", "wake up", timeout=180) == (200, "large: wake up")
    print(f"answered from zero after {time.monotonic() - started:.0f} s")
    (pod,) = cluster.ray_pods("l4-x2")
    (node,) = cluster.nodes("l4-x2")
    assert pod["spec"]["nodeName"] == node["metadata"]["name"]
