"""KubeRay is installed with its CRDs, and a new version installs new ones."""

from dataclasses import replace
from typing import Any

import pulumi
import pytest

from components import KubeRayOperator, KubeRayOperatorArgs
from components.kuberay_crds import CRD_SOURCE, crd_location
from models.catalog.releases import kuberay_releases
from models.stack import KubeRayInstall
from planning import Plan
from tests.components.programs import Record, Recording, with_kuberay

RELEASE = "helm.sh/v3:Release"
CRD = "pulumi:index:Stash"


def crds_of(recording: Recording) -> list[Any]:
    """The records of CRDs; one more is the operator's own."""
    return [item for item in recording.of_type(CRD) if "-crd-" in item.name]


def test_helm_never_touches_the_crds(record: Record, plan: Plan) -> None:
    release = record(lambda: KubeRayOperator("kuberay", KubeRayOperatorArgs.of(plan))).one(RELEASE)
    assert release.inputs["skipCrds"] is True


def test_a_mirror_has_the_chart_and_the_operators_image(record: Record, plan: Plan) -> None:
    mirror = "us-central1-docker.pkg.dev/acme/mirror"
    mirrored = replace(plan, release=replace(plan.release, mirror=mirror))
    made = {
        name: record(lambda: KubeRayOperator("kuberay", KubeRayOperatorArgs.of(of))).one(RELEASE)  # noqa: B023
        for name, of in (("plain", plan), ("mirrored", mirrored))
    }
    assert "image" not in made["plain"].inputs["values"]
    assert made["mirrored"].inputs["chart"] == f"oci://{mirror}/kuberay-operator"
    assert "repositoryOpts" not in made["mirrored"].inputs
    assert made["mirrored"].inputs["values"]["image"] == {
        "repository": f"{mirror}/kuberay/operator",
        "tag": "v1.6.2",
    }


def test_operator_waits_for_its_crds(record: Record, plan: Plan) -> None:
    recording = record(lambda: KubeRayOperator("kuberay", KubeRayOperatorArgs.of(plan)))
    crds = {item.urn for item in crds_of(recording)}
    assert len(crds) == 4
    assert crds <= set(recording.one(RELEASE).dependencies)


def test_the_state_keeps_names_and_versions_of_crds_only(record: Record, plan: Plan) -> None:
    recording = record(lambda: KubeRayOperator("kuberay", KubeRayOperatorArgs.of(plan)))
    assert {item.name: item.inputs for item in crds_of(recording)} == {
        f"kuberay-crd-{plural}": {"input": {"name": f"{plural}.ray.io", "kubeRay": "1.6.2"}}
        for plural in ("rayclusters", "raycronjobs", "rayjobs", "rayservices")
    }


def test_new_version_upgrades_operator_and_crds_together(record: Record, plan: Plan) -> None:
    args = KubeRayOperatorArgs.of(plan)
    old = record(lambda: KubeRayOperator("kuberay", args))
    new = record(lambda: KubeRayOperator("kuberay", replace(args, version="1.7.0")))
    assert old.one(RELEASE).inputs["version"] == "1.6.2"
    assert new.one(RELEASE).inputs["version"] == "1.7.0"
    assert _versions(old) == {"1.6.2"}
    assert _versions(new) == {"1.7.0"}
    assert {item.urn for item in crds_of(old)} == {item.urn for item in crds_of(new)}


def _versions(recording: Recording) -> set[str | None]:
    return {item.inputs["input"]["kubeRay"] for item in crds_of(recording)}


def test_a_kind_that_an_old_release_lacks_keeps_its_record(record: Record) -> None:
    # Without a record a downgrade would delete the CRD that the newer release installed.
    recording = record(lambda: KubeRayOperator("kuberay", KubeRayOperatorArgs(version="1.5.2")))
    records = {item.inputs["input"]["name"]: item.inputs["input"] for item in crds_of(recording)}
    assert records["raycronjobs.ray.io"] == {"name": "raycronjobs.ray.io"}
    assert records["rayservices.ray.io"]["kubeRay"] == "1.5.2"


def test_crds_that_go_with_the_operator_say_with_what(record: Record) -> None:
    args = KubeRayOperatorArgs(version="1.6.2", keep_crds=False, namespace="theirs")
    recording = record(lambda: KubeRayOperator("kuberay", args))
    assert {item.inputs["input"]["deletedWith"] for item in crds_of(recording)} == {"theirs"}


def test_each_record_takes_the_place_of_the_crd_that_was_a_resource(
    record: Record, plan: Plan
) -> None:
    recording = record(lambda: KubeRayOperator("kuberay", KubeRayOperatorArgs.of(plan)))
    assert {item.name: item.aliases for item in crds_of(recording)} == {
        f"kuberay-crd-{plural}": [f"kuberay-crds:{plural}.ray.io"]
        for plural in ("rayclusters", "raycronjobs", "rayjobs", "rayservices")
    }


@pytest.mark.parametrize("version", sorted(kuberay_releases()))
def test_every_release_of_the_table_has_the_rayservice_crd(version: str) -> None:
    assert crd_location("rayservices.ray.io", CRD_SOURCE, version) == (
        f"https://raw.githubusercontent.com/ray-project/kuberay/v{version}/ray-operator/config/crd/"
        "bases/ray.io_rayservices.yaml"
    )


@pytest.mark.parametrize(
    ("source", "location"),
    [
        ("https://mirror.example/{version}/", "https://mirror.example/1.6.2/ray.io_rayjobs.yaml"),
        ("mirror/crds", "mirror/crds/ray.io_rayjobs.yaml"),
    ],
)
def test_crds_come_from_the_source_that_is_given(source: str, location: str) -> None:
    assert crd_location("rayjobs.ray.io", source, "1.6.2") == location


@pytest.mark.parametrize(
    ("source", "chart", "repository"),
    [
        ("https://mirror.example/charts", "kuberay-operator", "https://mirror.example/charts"),
        ("oci://mirror.example/charts/", "oci://mirror.example/charts/kuberay-operator", None),
        ("./kuberay-operator-1.6.2.tgz", "./kuberay-operator-1.6.2.tgz", None),
    ],
)
def test_the_chart_comes_from_the_source_that_is_given(
    record: Record, source: str, chart: str, repository: str | None
) -> None:
    args = KubeRayOperatorArgs(version="1.6.2", chart_source=source)
    inputs = record(lambda: KubeRayOperator("kuberay", args)).one(RELEASE).inputs
    assert inputs["chart"] == chart
    assert inputs.get("repositoryOpts") == (repository and {"repo": repository})


def test_failed_upgrade_is_rolled_back(record: Record, plan: Plan) -> None:
    release = record(lambda: KubeRayOperator("kuberay", KubeRayOperatorArgs.of(plan))).one(RELEASE)
    assert release.inputs["atomic"] is True
    assert release.inputs["timeout"] == 900


def test_operator_gets_more_than_the_charts_tenth_of_a_cpu(record: Record, plan: Plan) -> None:
    release = record(lambda: KubeRayOperator("kuberay", KubeRayOperatorArgs.of(plan))).one(RELEASE)
    resources = release.inputs["values"]["resources"]
    assert resources["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert resources["requests"]["memory"] == resources["limits"]["memory"]


@pytest.mark.parametrize("install", [KubeRayInstall.GKE_ADDON, KubeRayInstall.EXISTING])
def test_nothing_is_installed_where_somebody_else_does(
    record: Record, install: KubeRayInstall
) -> None:
    args = KubeRayOperatorArgs.of(with_kuberay(install))
    recording = record(lambda: KubeRayOperator("kuberay", args).version)
    assert {item.name for item in recording.registrations} - {"kuberay", "kuberay-record"} == {
        item.name for item in crds_of(recording)
    }
    # The records only keep the CRDs that this stack may have had before.
    assert all(set(item.inputs["input"]) == {"name"} for item in crds_of(recording))
    assert recording.result == ""


def test_children_use_the_given_provider(record: Record, plan: Plan) -> None:
    import pulumi_kubernetes as kubernetes

    def program() -> None:
        provider = kubernetes.Provider("theirs", context="theirs")
        KubeRayOperator(
            "kuberay", KubeRayOperatorArgs.of(plan), pulumi.ResourceOptions(provider=provider)
        )

    recording = record(program)
    component = recording.named("kuberay").urn
    children = [item for item in recording.registrations if item.parent == component]
    assert len(children) == 7
    assert all("::theirs::" in item.provider for item in children if item.type != CRD)
