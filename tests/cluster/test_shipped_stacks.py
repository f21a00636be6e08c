"""The stacks that ship with the program, unchanged but for the release, on the local cluster.

Kubernetes, KubeRay, Ray Serve, Pulumi's engine and its Kubernetes provider are real. Google and
vLLM are simulated (devtools/localcloud/localcloud/cluster/README.md).
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from localcloud.cluster.kubernetes_api import Object
from localcloud.testing.figures import Figures
from reports.plan_data import PlanSummary
from tests.cluster.deployed import RAY_SERVICE, ClusterDeployment
from tests.cluster.releases import with_release
from tests.cluster.running import Cluster
from tests.cluster.stage import Stage
from tests.engine.deployments import TOKEN, shipped_config

pytestmark = pytest.mark.cluster

STACKS = ["staging", "dev", pytest.param("prod", marks=pytest.mark.alone)]
# A model at zero has to wait for a node first.
FIRST_ANSWER_SECONDS = 240
POOL_LABEL = "cloud.google.com/gke-nodepool"


@pytest.fixture(scope="module", params=STACKS)
def shipped(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    stage: Stage,
    tmp_path_factory: pytest.TempPathFactory,
    figures: Figures,
) -> Iterator[ClusterDeployment]:
    stack: str = request.param
    stage.clear()
    config = with_release(shipped_config(stack))
    # A person has to do this before a destroy.
    config["ray-llm:cluster"]["deletionProtection"] = False
    deployment = ClusterDeployment(tmp_path_factory.mktemp(stack), stack, config, cluster)
    with figures.timed(f"{stack}: first up to every model answering"):
        deployment.must_up()
    yield deployment
    if deployment.state():
        deployment.destroy()


@pytest.fixture(scope="module")
def plan(shipped: ClusterDeployment) -> PlanSummary:
    return shipped.plan()


def test_every_model_answers(
    shipped: ClusterDeployment, plan: PlanSummary, cluster: Cluster, figures: Figures
) -> None:
    def ask(model: str) -> None:
        status, text = cluster.http(f"/{model}/v1/models", timeout=FIRST_ANSWER_SECONDS)
        assert (status, [entry["id"] for entry in json.loads(text)["data"]]) == (200, [model])
        answer = cluster.chat(model, model, "hello", timeout=FIRST_ANSWER_SECONDS)
        assert answer == (200, f"{model}: hello")

    names = [model["name"] for model in plan["models"]]
    asleep = any(model["replicas"]["min"] == 0 for model in plan["models"])
    what = "first answers of all models" + (", from zero" if asleep else "")
    with figures.timed(f"{shipped.stack}: {what}"), ThreadPoolExecutor() as pool:
        list(pool.map(ask, names))


def test_every_model_answers_in_a_stream(
    shipped: ClusterDeployment, plan: PlanSummary, cluster: Cluster
) -> None:
    for model in (model["name"] for model in plan["models"]):
        body = {
            "model": model,
            "messages": [{"role": "user", "content": "a b c"}],
            "stream": True,
        }
        status, text = cluster.http(f"/{model}/v1/chat/completions", body)
        assert status == 200
        events = [line.removeprefix("data: ") for line in text.splitlines() if line]
        assert events[-1] == "[DONE]"
        chunks = [json.loads(event) for event in events if event != "[DONE]"]
        words = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]
        assert [word for word in words if word] == [f"{model}:", " a", " b", " c"]


def test_a_wrong_model_name_gets_404(
    shipped: ClusterDeployment, plan: PlanSummary, cluster: Cluster
) -> None:
    for model in (model["name"] for model in plan["models"]):
        status, text = cluster.chat(model, "no-such-model", "hello")
        assert status == 404
        assert "no-such-model" in text


def test_pods_of_every_pool_are_on_nodes_of_that_pool(
    shipped: ClusterDeployment, plan: PlanSummary, cluster: Cluster
) -> None:
    nodes = {node["metadata"]["name"]: node for node in cluster.items("/api/v1/nodes")}

    def node_of(pod: Object) -> Object:
        return nodes[pod["spec"]["nodeName"]]

    for group in ("headgroup", "routers"):
        pods = cluster.ray_pods(group)
        assert pods, group
        assert {node_of(pod)["metadata"]["labels"][POOL_LABEL] for pod in pods} == {"app-pool"}
    for pool in plan["gpuPools"]:
        pods = cluster.ray_pods(pool["id"])
        # One pod takes a whole node with all of its GPUs.
        assert len({pod["spec"]["nodeName"] for pod in pods}) == len(pods)
        used = any(model["gpu"] == pool["id"] for model in plan["models"])
        assert bool(pods) == used, pool["id"]
        for pod in pods:
            node = node_of(pod)
            node_pools = {way["nodePool"] for way in pool.get("ways", ())} or {pool["id"]}
            assert node["metadata"]["labels"][POOL_LABEL] in node_pools
            gpus = pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"]
            assert gpus == node["status"]["allocatable"]["nvidia.com/gpu"]


def test_no_replica_waits_for_a_gpu_that_another_pool_has(
    shipped: ClusterDeployment, plan: PlanSummary, cluster: Cluster
) -> None:
    """By Ray Serve's own report, each engine runs on a node of its model's pool."""
    running = cluster.models()
    assert running.keys() == {model["name"] for model in plan["models"]}
    for name, application in running.items():
        (pool,) = [model["gpu"] for model in plan["models"] if model["name"] == name]
        for deployment in application["deployments"]:
            pods = cluster.replica_pods(name, deployment)
            expected = pool if deployment.startswith("LLMServer") else "routers"
            assert {pod["metadata"]["labels"]["ray.io/group"] for pod in pods} == {expected}


def test_the_token_is_in_its_secret_and_nowhere_else(
    shipped: ClusterDeployment, cluster: Cluster
) -> None:
    for folder in (cluster.state.stacks, cluster.state.folder / "logs", shipped.folder):
        for path in (path for path in folder.rglob("*") if path.is_file()):
            assert TOKEN.encode() not in path.read_bytes(), path
    for kind in ("configmaps", "pods", "events"):
        assert TOKEN not in json.dumps(cluster.get(f"/api/v1/namespaces/ai/{kind}"))
    assert TOKEN not in json.dumps(cluster.get(RAY_SERVICE))
    assert TOKEN not in json.dumps(cluster.applications())


def test_the_second_up_changes_nothing(shipped: ClusterDeployment, figures: Figures) -> None:
    with figures.timed(f"{shipped.stack}: second up"):
        done = shipped.pulumi("up", "--skip-preview", "--expect-no-changes")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_refresh_finds_no_difference(shipped: ClusterDeployment) -> None:
    done = shipped.pulumi("refresh", "--skip-preview", "--expect-no-changes")
    assert done.returncode == 0, done.stdout + done.stderr


def test_destroy_leaves_nothing(
    shipped: ClusterDeployment, cluster: Cluster, figures: Figures
) -> None:
    with figures.timed(f"{shipped.stack}: destroy"):
        shipped.destroy()
    shipped.assert_nothing_left()
    # To delete KubeRay's CRDs would delete every RayService of the cluster.
    assert len(cluster.kuberay_definitions()) == 4
