"""The decisions of the stand-in for GKE and its autoscaler, without a running cluster."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from localcloud.cluster.gke_pools import allocatable, recorded_pools
from localcloud.cluster.kubernetes_api import KubernetesApi, Object, Store
from localcloud.cluster.node_pools import Decision, NodePool, NodePools
from localcloud.cluster.scheduler_filters import admits, fits, pod_requests, quantities, quantity
from localcloud.cluster.start_delays import START_DELAYS, NodeImages


def gpu_pool(**changes: Any) -> NodePool:
    values: dict[str, Any] = {
        "name": "l4",
        "machine_type": "g2-standard-8",
        "zones": ("us-central1-a", "us-central1-c"),
        "minimum": 0,
        "maximum": 3,
        "allocatable": {"cpu": "7", "memory": "28Gi"},
        "accelerator": {"type": "nvidia-l4", "count": 1},
    }
    return NodePool(**{**values, **changes})


def gpu_pod(name: str, gpus: int = 1, **spec: Any) -> Object:
    resources = {"requests": {"cpu": "3", "nvidia.com/gpu": str(gpus)}}
    toleration = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return {
        "metadata": {"name": name, "namespace": "ai"},
        "spec": {
            "containers": [{"name": "c", "resources": resources}],
            "tolerations": [toleration],
            **spec,
        },
        "status": {"phase": "Pending", "conditions": [unschedulable]},
    }


def wanted(
    pools: list[NodePool], pods: list[Object], classes: dict[str, list[str]] | None = None
) -> dict[str, int]:
    api: KubernetesApi = None  # type: ignore[assignment] # not used to decide
    store = Store(api, "/api/v1/pods")
    store.objects = {("ai", pod["metadata"]["name"]): pod for pod in pods}
    scaler = NodePools(api, store, Path("/nowhere"), lambda: pools)
    numbers = scaler._decide(pools, {pool.name: [] for pool in pools}, classes or {}).nodes
    return {pool.name: number for pool, number in numbers.items()}


def test_a_gpu_node_has_gkes_labels_taint_and_resources() -> None:
    node = gpu_pool(spot=True).node(1, "us-central1-c")
    labels = node["metadata"]["labels"]
    assert labels["cloud.google.com/gke-nodepool"] == "l4"
    assert labels["cloud.google.com/gke-accelerator"] == "nvidia-l4"
    assert labels["cloud.google.com/gke-spot"] == "true"
    assert labels["topology.kubernetes.io/region"] == "us-central1"
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    assert node["spec"]["taints"] == [taint]
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "1"


def test_each_pending_gpu_gets_a_node_up_to_the_maximum() -> None:
    pods = [gpu_pod(f"p{i}") for i in range(5)]
    assert wanted([gpu_pool(maximum=2)], pods) == {"l4": 2}


def test_pods_that_share_a_node_need_only_one() -> None:
    two = gpu_pool(accelerator={"type": "nvidia-l4", "count": 2}, allocatable={"cpu": "23"})
    assert wanted([two], [gpu_pod("a"), gpu_pod("b")]) == {"l4": 1}


def class_pool(name: str, **changes: Any) -> NodePool:
    key = "cloud.google.com/compute-class"
    taint = {"key": key, "value": "l4", "effect": "NoSchedule"}
    return gpu_pool(name=name, labels={key: "l4"}, taints=(taint,), **changes)


def class_pod(name: str) -> Object:
    key = "cloud.google.com/compute-class"
    tolerations = [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": key, "operator": "Equal", "value": "l4", "effect": "NoSchedule"},
    ]
    return gpu_pod(name, nodeSelector={key: "l4"}, tolerations=tolerations)


def test_a_compute_class_asks_its_node_pools_in_its_order_each_to_its_maximum() -> None:
    pools = [class_pool("l4", maximum=1), class_pool("l4-spot", spot=True)]
    pods = [class_pod(f"p{i}") for i in range(3)]
    assert wanted(pools, pods, {"l4": ["l4-spot", "l4"]}) == {"l4": 0, "l4-spot": 3}
    assert wanted(pools, pods, {"l4": ["l4", "l4-spot"]}) == {"l4": 1, "l4-spot": 2}


class RecordingApi:
    """Keeps what is created. It does not show what a real API server would refuse."""

    def __init__(self) -> None:
        self.created: list[str] = []

    async def create(self, path: str, obj: Object) -> Object:
        self.created.append(obj["metadata"]["name"])
        return obj


def test_a_node_comes_up_after_the_delay_and_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / START_DELAYS).write_text('{"node": 240}')
    api: Any = RecordingApi()
    store = Store(api, "/api/v1/pods")
    store.objects = {("ai", "a"): gpu_pod("a")}
    scaler = NodePools(api, store, tmp_path / "node-pools", lambda: [gpu_pool()])
    for _ in range(3):
        asyncio.run(scaler._even_out())
    assert api.created == []
    later = time.monotonic() + 240
    monkeypatch.setattr(time, "monotonic", lambda: later)
    for _ in range(3):
        asyncio.run(scaler._even_out())
    assert api.created == ["gke-local-l4-0001"]


def test_a_node_pulls_an_image_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def record(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", record)
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    images = NodeImages(tmp_path / START_DELAYS)
    asyncio.run(images.pull("before", "ray"))
    (tmp_path / START_DELAYS).write_text('{"image": 120}')
    for node in ("before", "one", "other"):
        asyncio.run(images.pull(node, "ray"))
    monkeypatch.setattr(time, "monotonic", lambda: 1090.0)
    asyncio.run(images.pull("one", "ray"))
    monkeypatch.setattr(time, "monotonic", lambda: 2000.0)
    asyncio.run(images.pull("one", "ray"))
    assert [max(0.0, seconds) for seconds in waited] == [0, 0, 120, 120, 30, 0]


def test_a_node_pool_that_is_out_of_stock_is_passed_over() -> None:
    pools = [class_pool("l4"), class_pool("l4-spot", spot=True)]
    api: KubernetesApi = None  # type: ignore[assignment] # not used to decide
    store = Store(api, "/api/v1/pods")
    store.objects = {("ai", "p"): class_pod("p")}
    scaler = NodePools(api, store, Path("/nowhere"), lambda: pools)

    def decided(*out_of_stock: str) -> Decision:
        members: dict[str, list[Object]] = {"l4": [], "l4-spot": []}
        return scaler._decide(pools, members, {"l4": ["l4-spot", "l4"]}, frozenset(out_of_stock))

    found = decided("l4-spot")
    assert {pool.name: number for pool, number in found.nodes.items()} == {"l4": 1, "l4-spot": 0}
    assert found.refused == []
    [(pod, pool)] = decided("l4-spot", "l4").refused
    assert (pod["metadata"]["name"], pool.name) == ("p", "l4-spot")


def test_a_compute_class_that_does_not_exist_or_names_no_pool_gets_no_node() -> None:
    pools = [class_pool("l4")]
    assert wanted(pools, [class_pod("p")]) == {"l4": 0}
    assert wanted(pools, [class_pod("p")], {"l4": ["l4-spot"]}) == {"l4": 0}


def test_no_node_comes_for_a_pod_that_could_not_run_on_it() -> None:
    selecting = gpu_pod("a", nodeSelector={"cloud.google.com/gke-nodepool": "t4"})
    intolerant = gpu_pod("b", tolerations=[])
    too_large = gpu_pod("c", gpus=2)
    assert wanted([gpu_pool()], [selecting, intolerant, too_large]) == {"l4": 0}


def test_the_minimum_is_kept_without_any_pod() -> None:
    assert wanted([gpu_pool(minimum=1)], []) == {"l4": 1}


@pytest.mark.parametrize(
    ("text", "number"), [("500m", 0.5), ("2", 2), ("1Gi", 2**30), ("1500M", 1.5e9), (3, 3)]
)
def test_quantities_are_kubernetes_own(text: str | int, number: float) -> None:
    assert float(quantity(text)) == number


def test_an_init_container_counts_only_where_it_is_larger() -> None:
    pod = gpu_pod("a", initContainers=[{"resources": {"limits": {"cpu": "5", "memory": "1Gi"}}}])
    requests = pod_requests(pod)
    assert [float(requests[name]) for name in ("cpu", "memory")] == [5, 2**30]
    assert not fits(requests, quantities({"cpu": "4", "memory": "2Gi"}))


def test_node_affinity_is_understood() -> None:
    def affinity(operator: str, values: list[str]) -> Object:
        expression = {"key": "zone", "operator": operator, "values": values}
        terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
        return gpu_pod("a", affinity={"nodeAffinity": required})

    node = {"metadata": {"labels": {"zone": "a"}}, "spec": {}}
    assert admits(affinity("In", ["a", "b"]), node)
    assert not admits(affinity("NotIn", ["a"]), node)


def test_allocatable_is_googles_formula_less_the_daemonsets() -> None:
    # GKE shows 7910m CPU on an 8-vCPU node; half a CPU is left to DaemonSets.
    assert allocatable("n1-standard-8")["cpu"] == "7410m"
    assert 24 * 1024 < int(allocatable("n1-standard-8")["memory"].removesuffix("Mi")) < 26 * 1024
    with pytest.raises(ValueError, match="x9-huge-3"):
        allocatable("x9-huge-3")


def test_a_recorded_gke_pool_becomes_kubernetes_own_terms(tmp_path: Path) -> None:
    cluster = "projects/p/locations/us-central1/clusters/c"
    taint = {"key": "nvidia.com/gpu-type", "value": "l4", "effect": "NO_SCHEDULE"}
    inputs = {
        "name": "l4",
        "autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 4},
        "nodeConfig": {
            "machineType": "g2-standard-12",
            "guestAccelerators": [{"type": "nvidia-l4", "count": 1}],
            "taints": [taint],
        },
        "nodeLocations": ["us-central1-a"],
    }
    store = tmp_path / "gcp.json"
    pool_type = "gcp:container/nodePool:NodePool"
    entry = {"type": pool_type, "inputs": inputs}
    store.write_text(json.dumps({f"{cluster}/nodePools/l4": entry}))
    (pool,) = recorded_pools(store)
    assert (pool.minimum, pool.maximum, pool.zones) == (0, 4, ("us-central1-a",))
    assert pool.taints == ({**taint, "effect": "NoSchedule"},)
    assert recorded_pools(tmp_path / "none.json") == []
