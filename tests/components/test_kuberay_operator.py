"""KubeRay is installed with its CRDs, and a new version installs new ones."""

from dataclasses import replace

import pulumi
import pytest

from components import KubeRayOperator, KubeRayOperatorArgs
from components.kuberay_operator import CRD_BASE_URL, crd_urls
from models.catalog.releases import kuberay_releases
from models.stack import KubeRayInstall
from planning import Plan
from tests.components.programs import Record, with_kuberay

RELEASE = "helm.sh/v3:Release"
CRDS = "yaml/v2:ConfigGroup"


def test_helm_never_touches_the_crds(record: Record, plan: Plan) -> None:
    release = record(lambda: KubeRayOperator("kuberay", KubeRayOperatorArgs.of(plan))).one(RELEASE)
    assert release.inputs["skipCrds"] is True


def test_operator_waits_for_its_crds(record: Record, plan: Plan) -> None:
    recording = record(lambda: KubeRayOperator("kuberay", KubeRayOperatorArgs.of(plan)))
    assert recording.one(CRDS).urn in recording.one(RELEASE).dependencies


def test_new_version_upgrades_operator_and_crds_together(record: Record, plan: Plan) -> None:
    args = KubeRayOperatorArgs.of(plan)
    old = record(lambda: KubeRayOperator("kuberay", args))
    new = record(lambda: KubeRayOperator("kuberay", replace(args, version="1.7.0")))
    assert old.one(RELEASE).inputs["version"] == "1.6.2"
    assert new.one(RELEASE).inputs["version"] == "1.7.0"
    assert all("/v1.6.2/" in url for url in old.one(CRDS).inputs["files"])
    assert all("/v1.7.0/" in url for url in new.one(CRDS).inputs["files"])
    assert old.one(CRDS).urn == new.one(CRDS).urn


@pytest.mark.parametrize("version", sorted(kuberay_releases()))
def test_every_release_of_the_table_has_the_rayservice_crd(version: str) -> None:
    urls = crd_urls(version)
    base = CRD_BASE_URL.format(version=version)
    assert f"{base}/ray.io_rayservices.yaml" in urls
    assert f"{base}/ray.io_rayclusters.yaml" in urls


def test_cron_jobs_are_a_kind_since_1_6() -> None:
    assert len(crd_urls("1.5.2")) == 3
    assert crd_urls("1.6.2")[1].endswith("/ray.io_raycronjobs.yaml")


def test_mirrors_replace_both_sources(record: Record) -> None:
    args = KubeRayOperatorArgs(
        version="1.6.2",
        crd_base_url="https://mirror.example/kuberay/{version}/",
        chart_repository="https://mirror.example/charts",
    )
    recording = record(lambda: KubeRayOperator("kuberay", args))
    assert recording.one(CRDS).inputs["files"][0] == (
        "https://mirror.example/kuberay/1.6.2/ray.io_rayclusters.yaml"
    )
    repository = recording.one(RELEASE).inputs["repositoryOpts"]
    assert repository == {"repo": "https://mirror.example/charts"}


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
    assert [item.name for item in recording.registrations] == ["kuberay"]
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
    assert len(children) == 3
    assert all("::theirs::" in item.provider for item in children)
