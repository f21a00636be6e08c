"""The driver of a pool's nodes against the CUDA of the image."""

from typing import Any

import pytest

from tests.planning.small_stacks import planned, rules, small

CLUSTER = {"name": "llm", "zones": ["us-central1-a"]}
ADOPTED = {**CLUSTER, "existing": True, "cpuPool": {"name": "default-pool"}}
NEW, OLD = {"ray": "2.60.0"}, {"ray": "2.49.1"}


def warned(**keys: Any) -> set[str]:
    return rules(planned([small()], **{"gpuPools": ["l4"], **keys}).warnings)


@pytest.mark.parametrize(
    ("cluster", "versions", "said"),
    [
        (ADOPTED, NEW, True),
        ({**CLUSTER, "releaseChannel": "EXTENDED"}, NEW, True),
        (CLUSTER, NEW, False),
        (ADOPTED, {"ray": "2.54.1"}, False),
        (ADOPTED, {"ray": "2.55.1"}, False),  # its tag names no CUDA, the table does
        (ADOPTED, {**OLD, "image": "acme/ray-llm:2.49.1-py311-cu130"}, True),
        (ADOPTED, {**OLD, "image": "acme/ray-llm:2.49.1-cuda13.0"}, True),
        (ADOPTED, {**NEW, "image": "acme/ray-llm:2.60.0-custom"}, False),
        (ADOPTED, {**OLD, "image": "acme/ray-llm:2.49.1-py311-cu128@sha256:" + "0" * 64}, False),
    ],
)
def test_cuda_13_is_compared_with_the_driver_that_a_cluster_may_have(
    cluster: dict[str, Any], versions: dict[str, Any], said: bool
) -> None:
    assert ("gpu-driver" in warned(cluster=cluster, versions=versions)) == said


@pytest.mark.parametrize(
    ("driver", "versions", "said"),
    [("DEFAULT", NEW, True), ("LATEST", NEW, False), ("DEFAULT", OLD, False)],
)
def test_the_default_driver_may_be_too_old_for_cuda_13(
    driver: str, versions: dict[str, Any], said: bool
) -> None:
    pools = [{"tier": "l4", "gpuDriverVersion": driver}]
    plan = planned([small()], gpuPools=pools, versions=versions)
    assert plan.pools[0].gpu_driver_version == driver
    found = [warning for warning in plan.warnings if warning.rule == "gpu-driver"]
    assert [warning.path for warning in found] == (
        ["ray-llm:gpuPools[0].gpuDriverVersion"] if said else []
    )


def test_nodes_without_a_driver_are_warned_of_whatever_the_image() -> None:
    pools = [{"tier": "l4", "gpuDriverVersion": "INSTALLATION_DISABLED"}]
    for versions in (NEW, OLD):
        assert "gpu-driver-own" in warned(gpuPools=pools, versions=versions)
    accepted = {"gpuPools": pools, "versions": NEW, "accept": ["gpu-driver-own"]}
    assert not warned(**accepted) & {"gpu-driver", "gpu-driver-own"}
