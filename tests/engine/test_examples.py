"""The programs in examples/, which show how platform teams combine the components."""

import json
from pathlib import Path

import pytest

from localcloud.cloud import LocalCloud, Project

pytestmark = pytest.mark.engine
CHECKOUT = Path(__file__).parents[2]
STACK = ("--stack", "dev")


def run(project: Project, *command: str) -> None:
    done = project.pulumi(*command, *STACK)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def cloud(tmp_path: Path) -> LocalCloud:
    cloud = LocalCloud(tmp_path / "cloud")
    cloud.declare_cluster("acme-platform", "us-central1", "shared")
    return cloud


def test_two_teams_share_a_cluster_from_pools_to_a_served_model(cloud: LocalCloud) -> None:
    before = set(cloud.cloud_objects())
    platform = cloud.project(CHECKOUT / "examples/pools-and-kuberay")
    team = cloud.project(CHECKOUT / "examples/service-on-your-cluster")
    run(platform, "up")
    run(team, "up")

    created = set(cloud.cloud_objects()) - before
    pools = {key.rsplit("/", 1)[1] for key in created if "/nodePools/" in key}
    assert pools == {"l4", "l4-spot"}
    assert any(key.endswith("|ray.io|RayService|chat|chat") for key in created)
    assert not any("/clusters/shared" in key and "nodePools" not in key for key in created)

    for project in (platform, team):
        run(project, "preview", "--expect-no-changes")
    edit = ("preview", "--json", "--config", "chat-platform:contextLength=8192", *STACK)
    edited = team.pulumi(*edit)
    assert edited.returncode == 0, edited.stdout + edited.stderr
    # Pulumi's provider replaces a ConfigMap or Secret unless it is told otherwise.
    steps = {step["urn"].split("::")[2]: step["op"] for step in json.loads(edited.stdout)["steps"]}
    assert steps["ray-llm:index:RayLlmService$kubernetes:core/v1:ConfigMap"] == "update"
    run(team, "destroy")
    run(platform, "destroy")
    left = set(cloud.cloud_objects()) - before
    assert {key.split("|")[2] for key in left} == {"CustomResourceDefinition"}, "kept by default"


def test_service_without_kuberay_fails_by_saying_which_kind_is_missing(cloud: LocalCloud) -> None:
    done = cloud.project(CHECKOUT / "examples/service-on-your-cluster").pulumi("up", *STACK)
    assert done.returncode != 0
    assert 'no matches for kind "RayService"' in done.stdout + done.stderr
