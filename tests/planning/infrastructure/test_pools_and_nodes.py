"""The created pools: zones, disks, machines, and what a node leaves for pods."""

import pytest

from models.catalog import gpu_tiers, machine_types, ray_releases
from models.problems import Severity
from planning.infrastructure.allocatable import allocatable, ray_pod
from planning.infrastructure.cluster import HEAD, ROUTERS
from planning.infrastructure.container_image import image_problems
from tests.planning.stacks import MODEL, planned, stack


@pytest.mark.parametrize(
    ("machine", "cpus", "gib"),
    [
        ("n1-standard-8", 7.91, 25.95),
        ("g2-standard-12", 11.90, 42.59),
        ("g2-standard-24", 23.87, 86.96),
        ("a2-ultragpu-2g", 23.87, 321),
        ("a2-highgpu-2g", 23.87, 157),
    ],
)
def test_allocatable_is_what_gke_leaves(machine: str, cpus: float, gib: float) -> None:
    room = allocatable(machine_types()[machine])
    assert room.cpu == pytest.approx(cpus, abs=0.01)
    assert room.memory_gib == pytest.approx(gib, abs=0.5 if gib > 100 else 0.01)


@pytest.mark.parametrize("tier", gpu_tiers().values(), ids=lambda tier: tier.id)
def test_the_ray_pod_takes_its_node_whole_and_no_more(tier: object) -> None:
    for machine in tier.machine_types:  # type: ignore[attr-defined]
        room = allocatable(machine_types()[machine])
        if room.cpu_for_pods < 1 or room.memory_gib_for_pods < 1:
            continue  # refused, see below
        pod = ray_pod(machine_types()[machine], tier)  # type: ignore[arg-type]
        assert 0 <= room.cpu_for_pods - pod.cpu < 1
        assert 0 <= room.memory_gib_for_pods - pod.memory_gib < 1
        assert pod.gpus == tier.gpu_count  # type: ignore[attr-defined]


def test_head_and_a_router_pod_share_one_cpu_node_with_kuberay() -> None:
    room = allocatable(machine_types()["e2-standard-8"])
    kuberay_cpu, kuberay_gib = 0.5, 1.0
    assert HEAD.cpu + ROUTERS.cpu + kuberay_cpu <= room.cpu_for_pods
    assert HEAD.memory_gib + ROUTERS.memory_gib + kuberay_gib <= room.memory_gib_for_pods


def test_zones_follow_the_cluster_and_the_gpu() -> None:
    values = stack(
        gpuPools=["l4", "a100-80gb"],
        cluster={"name": "c", "zones": ["us-central1-a", "us-central1-b", "us-central1-f"]},
    )
    l4, a100 = planned(values).pools
    assert l4.zones == ("us-central1-a", "us-central1-b")
    assert a100.zones == ("us-central1-a",)


def test_stated_zones_of_a_pool_are_kept() -> None:
    values = stack(gpuPools=[{"tier": "l4", "zones": ["us-central1-b"]}])
    assert planned(values).pools[0].zones == ("us-central1-b",)


def test_default_pools_whose_gpu_the_zones_lack_are_left_out() -> None:
    values = stack(cluster={"name": "c", "zones": ["us-central1-b"]})
    assert [pool.id for pool in planned(values).pools] == ["t4", "l4", "l4-x2"]


def test_pools_keep_their_order() -> None:
    listed = ["l4-x2", "t4", {"tier": "l4", "spot": True}, "l4"]
    plan = planned(stack(gpuPools=listed))
    assert [pool.id for pool in plan.pools] == ["l4-x2", "t4", "l4-spot", "l4"]


@pytest.mark.parametrize(
    ("tier", "gigabytes"), [("t4", 200), ("l4", 200), ("a100-80gb-x2", 40 + 2 * 79 * 2)]
)
def test_boot_disks_hold_the_image_and_twice_the_gpus_memory(tier: str, gigabytes: int) -> None:
    plan = planned(stack([{"model": MODEL, "gpu": tier}], [tier]))
    assert plan.pools[0].boot_disk_gb == gigabytes


def test_a_stated_boot_disk_and_machine_are_kept() -> None:
    entry = {"tier": "l4", "bootDiskGb": 555, "machineType": "g2-standard-32"}
    pool = planned(stack(gpuPools=[entry])).pools[0]
    assert (pool.boot_disk_gb, pool.machine_type) == (555, "g2-standard-32")
    assert pool.pod.cpu == 31


def test_a_pool_depends_on_no_model() -> None:
    """Everything in the RayCluster's hash is derived only from the pools."""
    one = planned(stack([MODEL], ["l4", "l4-x2"])).pools
    other = planned(stack(["qwen2.5-14b-instruct", "qwen3-4b"], ["l4", "l4-x2"])).pools
    for before, after in zip(one, other, strict=True):
        assert (before.pod, before.max_workers) == (after.pod, after.max_workers)
        assert before.boot_disk_gb == after.boot_disk_gb


def test_a_small_h100_machine_is_had_as_spot() -> None:
    values = stack(
        [{"model": MODEL, "gpu": "h100-80gb-spot"}], [{"tier": "h100-80gb", "spot": True}]
    )
    assert planned(values).pools[0].machine_type == "a3-highgpu-1g"


@pytest.mark.parametrize(
    ("image", "severity"),
    [
        ("us-docker.pkg.dev/acme/llm/ray-llm:2.51.2-py311-cu128", Severity.STOP),
        ("registry.example.com:5000/x/ray-llm:2.60.0-py312-cu130@sha256:00", Severity.STOP),
        ("ghcr.io/acme/ray-llm:2.51.2-tools", Severity.WARN),
        ("ghcr.io/acme/ray-serving:ray2.54.1-vllm0.15.0", Severity.WARN),
        ("ghcr.io/acme/ray-llm:v2.51.2", Severity.WARN),
        ("ghcr.io/acme/ray-llm:2.60.0.abc123-py312-cu130", Severity.STOP),
        ("ghcr.io/acme/mirror-ray-llm:2.54.0-extra-py311-cu128", Severity.STOP),
        ("ghcr.io/acme/ray-llm:2.58.1-py312-cu13.0-x86_64", Severity.STOP),
        ("ghcr.io/acme/ray-llm-2.54.1:7", Severity.WARN),
        ("ghcr.io/acme/ray-llm:2.54.1rc0", Severity.WARN),
        ("ghcr.io/acme/serving:2.54.1-py311-cu128", Severity.WARN),
        ("ghcr.io/acme/ray-llm-2.49.1:7", None),
        ("ghcr.io/acme/ray-llm@sha256:" + "0" * 64, None),
        ("ghcr.io/acme/ray-llm:2.49.1-a", None),
        ("ghcr.io/acme/ray-llm:2.49.1-vllm0.15.0", None),
        ("ghcr.io/acme/ray-llm:1.4.0", None),
        ("ghcr.io/acme/ray-llm:2026.11.23", None),
        ("ghcr.io/acme/serving:2.54.1", None),
    ],
)
def test_a_tag_that_names_another_ray_is_found_in_any_registry(
    image: str, severity: Severity | None
) -> None:
    problems = image_problems(image, ray_releases()["2.49.1"], "image")
    found = [one.severity for one in problems if one.rule == "image-version"]
    assert found == ([] if severity is None else [severity])
