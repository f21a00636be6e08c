"""What is assumed of clusters and operators that are there already."""

from typing import Any

import pytest

from tests.planning.small_stacks import planned, rules, small

CLUSTER = {"name": "llm", "zones": ["us-central1-a"]}
NAMED = {**CLUSTER, "existing": True, "cpuPool": {"name": "default-pool"}}


def warned(**keys: Any) -> set[str]:
    return rules(planned([small()], gpuPools=["l4"], **keys).warnings)


def test_an_adopted_cluster_needs_the_name_of_its_cpu_pool() -> None:
    unnamed = {**CLUSTER, "existing": True}
    assert "adopted-cpu-pool" in warned(cluster=unnamed)
    assert "adopted-cpu-pool" in warned(cluster={**unnamed, "cpuPool": {"maxNodes": 4}})
    assert "adopted-cpu-pool" not in warned(cluster=NAMED)
    confirmed = {**unnamed, "cpuPool": {"name": "app-pool"}}
    assert "adopted-cpu-pool" not in warned(cluster=confirmed)
    assert "adopted-cpu-pool" not in warned(cluster=CLUSTER)


@pytest.mark.parametrize("install", ["existing", "gke-addon"])
def test_an_operator_of_others_needs_its_release(install: str) -> None:
    assert "operator-version" in warned(kubeRay={"install": install})
    stated = {"kuberay": "1.6.2"}
    assert "operator-version" not in warned(kubeRay={"install": install}, versions=stated)


def test_the_release_of_an_operator_that_the_program_installs_is_no_guess() -> None:
    assert "operator-version" not in warned(kubeRay={"install": "helm"})
    assert "operator-version" not in warned()


@pytest.mark.parametrize(
    ("cluster", "versions", "said"),
    [
        (NAMED, {"ray": "2.60.0"}, True),
        ({**CLUSTER, "releaseChannel": "EXTENDED"}, {"ray": "2.60.0"}, True),
        (CLUSTER, {"ray": "2.60.0"}, False),
        (NAMED, {"ray": "2.54.1"}, False),
        (NAMED, {"image": "acme/ray-llm:2.49.1-py311-cu130"}, True),
        (NAMED, {"image": "acme/ray-llm:2.49.1-cuda13.0"}, True),
        (NAMED, {"image": "acme/ray-llm:2.49.1-custom"}, False),
        (NAMED, {"image": "acme/ray-llm:2.49.1-py311-cu128@sha256:" + "0" * 64}, False),
    ],
)
def test_cuda_13_is_compared_with_the_driver_that_a_cluster_may_have(
    cluster: dict[str, Any], versions: dict[str, Any], said: bool
) -> None:
    assert ("gpu-driver" in warned(cluster=cluster, versions=versions)) == said
