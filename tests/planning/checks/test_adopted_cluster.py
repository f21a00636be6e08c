"""What is assumed of clusters and operators that are there already."""

from typing import Any

from tests.planning.small_stacks import planned, rules, small, stops

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


def test_the_release_of_gkes_add_on_is_assumed_with_a_warning() -> None:
    addon = {"install": "gke-addon"}
    assert "operator-version" in warned(kubeRay=addon)
    assert "operator-version" not in warned(kubeRay=addon, versions={"kuberay": "1.6.2"})


def test_the_release_of_an_operator_that_is_there_is_asked_for() -> None:
    existing = {"gpuPools": ["l4"], "kubeRay": {"install": "existing"}}
    (problem,) = stops([small()], **existing)
    assert problem.path == "ray-llm:versions.kuberay"
    assert problem.rule == "operator-version"
    assert "1.6.2 is assumed" not in problem.sentence()
    # To accept it would be to assume one.
    assert rules(stops([small()], **existing, accept=["operator-version"])) == {"operator-version"}
    assert "operator-version" not in warned(
        kubeRay={"install": "existing"}, versions={"kuberay": "1.5.2"}
    )


def test_the_release_of_an_operator_that_the_program_installs_is_no_guess() -> None:
    assert "operator-version" not in warned(kubeRay={"install": "helm"})
    assert "operator-version" not in warned()
