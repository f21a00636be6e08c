"""KubeRay's CRDs and a RayService in the local cloud, on the real engine."""

import json
from pathlib import Path

import pytest

from localcloud.cloud import LocalCloud, Project
from localcloud.testing.programs import output_of

pytestmark = pytest.mark.engine

SAMPLE = Path(__file__).parent / "sample"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Project:
    cloud = LocalCloud(tmp_path_factory.mktemp("sample"), token_key="app:token")
    return cloud.project(SAMPLE)


@pytest.fixture(scope="module")
def deployed(sample: Project) -> Project:
    done = sample.pulumi("up", "--stack", "dev", "--skip-preview")
    assert done.returncode == 0, output_of(done)
    return sample


def test_the_crds_are_children_of_the_config_group(deployed: Project) -> None:
    state = json.loads(deployed.pulumi("stack", "export", "--stack", "dev").stdout)
    urns = [resource["urn"] for resource in state["deployment"]["resources"]]
    prefix = (
        "urn:pulumi:dev::sample::kubernetes:yaml/v2:ConfigGroup$"
        "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition::crds:"
    )
    assert {urn for urn in urns if "CustomResourceDefinition" in urn} == {
        f"{prefix}rayclusters.ray.io",
        f"{prefix}rayservices.ray.io",
    }


def test_everything_exists_and_a_second_up_changes_nothing(deployed: Project) -> None:
    objects = deployed.cloud.cloud_objects()
    kinds = sorted(key.split("|")[2] for key in objects if "|" in key)
    assert kinds == [
        "ConfigMap",
        "CustomResourceDefinition",
        "CustomResourceDefinition",
        "Job",
        "Namespace",
        "RayService",
        "Release",
        "Secret",
    ]
    done = deployed.pulumi("up", "--stack", "dev", "--skip-preview", "--expect-no-changes")
    assert done.returncode == 0, output_of(done)


def test_a_foreign_edit_conflicts_at_the_next_change_unless_forced(deployed: Project) -> None:
    cloud = deployed.cloud
    key = next(key for key in cloud.cloud_objects() if "|RayService|" in key)
    cloud.edit_object(key, ["spec", "serveConfigV2"], "applications: [edited]", "kubectl-edit")
    refreshed = deployed.pulumi("refresh", "--stack", "dev", "--skip-preview")
    assert refreshed.returncode == 0, output_of(refreshed)
    done = deployed.pulumi("up", "--stack", "dev", "--skip-preview")
    assert done.returncode != 0
    assert 'conflict with "kubectl-edit"' in output_of(done)
    forced = {"PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
    done = deployed.pulumi("up", "--stack", "dev", "--skip-preview", environment=forced)
    assert done.returncode == 0, output_of(done)
    spec = cloud.cloud_objects()[key]["object"]["spec"]
    assert spec["serveConfigV2"] == "applications: []"
