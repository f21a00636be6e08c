"""An `up` that is interrupted, on the real engine: the next `up` repairs it.

Nothing may be created twice: the cloud refuses a second create of one name, so it would fail. And
nothing may be lost: in the end everything of a clean deployment exists and is in the state.
"""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from localcloud.cloud import LocalCloud
from scripts.pending_creates import with_pending_creates
from tests.engine.deployments import TOKEN, Deployment, shipped_config

pytestmark = pytest.mark.engine
NODE_POOL = "gcp:container/nodePool:NodePool"
DEV = shipped_config("dev")


def _creates(deployment: Deployment) -> list[tuple[str, str]]:
    """Types and names of the resources that Google has created, in order.

    Kubernetes objects are left out. All of them have fixed names, so creating one that exists takes
    it over instead of making a second one.
    """
    return [
        (entry["type"], entry["name"])
        for entry in deployment.cloud.journal()
        if (entry["provider"], entry["operation"], entry["phase"]) == ("gcp", "create", "done")
    ]


def _assert_whole(deployment: Deployment) -> None:
    created = _creates(deployment)
    assert len(created) == len(set(created)), "a resource was created twice"
    # The engine writes such files in place, so a kill could leave a state that cannot be read.
    assert list(deployment.project.workspace.state.rglob("*.attrs")) == []
    settled = deployment.pulumi("preview", "--expect-no-changes")
    assert settled.returncode == 0, settled.stdout + settled.stderr
    destroy = deployment.pulumi("destroy", "--skip-preview")
    assert destroy.returncode == 0, destroy.stdout + destroy.stderr
    assert deployment.existing() == set()


@pytest.mark.parametrize("nth", [1, 2, 4, 9, 14])
def test_a_create_that_fails_is_made_up_for_by_the_next_up(nth: int, tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, "dev", DEV)
    broken = deployment.up(faults=[{"nth": nth, "fail": f"create {nth} failed"}])
    assert broken.returncode != 0
    assert f"create {nth} failed" in broken.stdout + broken.stderr
    deployment.must_up()
    _assert_whole(deployment)


def _killed_while(deployment: Deployment, fault: dict[str, Any]) -> None:
    """Kill the engine with SIGKILL as soon as the call of the rule has begun."""
    process = deployment.project.start(
        "up", "--skip-preview", "--stack", deployment.stack, faults=json.dumps([fault])
    )
    deadline = time.monotonic() + 120
    wanted = {"phase": "begin", **{key: fault[key] for key in ("type", "name") if key in fault}}
    while time.monotonic() < deadline and process.poll() is None:
        if any(wanted.items() <= entry.items() for entry in deployment.cloud.journal()):
            # The cloud is quick; this gives it the time to finish the call.
            time.sleep(1.0)
            break
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize(
    ("when", "resource"),
    [
        ("before", {"type": NODE_POOL, "name": "gpu-pools-l4"}),
        ("before", {"type": "gcp:container/cluster:Cluster"}),
        ("before", {"type": "kubernetes:ray.io/v1:RayService"}),
        ("after", {"type": "kubernetes:ray.io/v1:RayService"}),
        ("after", {"type": "kubernetes:core/v1:Secret"}),
    ],
)
def test_a_killed_engine_leaves_nothing_that_the_next_up_cannot_repair(
    when: str, resource: dict[str, Any], tmp_path: Path
) -> None:
    deployment = Deployment(tmp_path, "dev", DEV)
    _killed_while(deployment, {**resource, "when": when, "sleep": 60})
    # The killed engine could not release its lock; a person has to release it.
    locked = deployment.up()
    assert locked.returncode != 0
    assert "pulumi cancel" in locked.stdout + locked.stderr
    assert deployment.pulumi("cancel").returncode == 0
    deployment.must_up()
    _assert_whole(deployment)


@pytest.mark.parametrize(
    "resource",
    [{"type": NODE_POOL, "name": "gpu-pools-l4"}, {"type": "gcp:container/cluster:Cluster"}],
)
def test_what_google_made_behind_the_killed_engine_is_adopted_by_name(
    resource: dict[str, Any], tmp_path: Path
) -> None:
    deployment = Deployment(tmp_path, "dev", DEV)
    _killed_while(deployment, {**resource, "when": "after", "sleep": 60})
    assert deployment.pulumi("cancel").returncode == 0
    _add_pending_creates(deployment, tmp_path)
    deployment.must_up()
    _assert_whole(deployment)


def test_clearing_the_pending_creates_only_forgets_what_google_made(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, "dev", DEV)
    pool = {"type": NODE_POOL, "name": "gpu-pools-l4"}
    _killed_while(deployment, {**pool, "when": "after", "sleep": 60})
    assert deployment.pulumi("cancel").returncode == 0
    cleared = deployment.pulumi("refresh", "--skip-preview", "--clear-pending-creates")
    assert cleared.returncode == 0, cleared.stdout + cleared.stderr
    assert any(key.endswith("/nodePools/l4") for key in deployment.existing())
    refused = deployment.up()
    assert refused.returncode != 0
    assert "already exists" in (refused.stdout + refused.stderr).lower()


def _add_pending_creates(deployment: Deployment, tmp_path: Path) -> None:
    export = json.loads(deployment.pulumi("stack", "export").stdout)
    amended = tmp_path / "amended.json"
    amended.write_text(json.dumps(with_pending_creates(export)), encoding="utf-8")
    imported = deployment.pulumi("stack", "import", "--file", str(amended))
    assert imported.returncode == 0, imported.stdout + imported.stderr
    refreshed = deployment.pulumi("refresh", "--skip-preview")
    assert refreshed.returncode == 0, refreshed.stdout + refreshed.stderr


@pytest.mark.parametrize("type_", ["kubernetes:ray.io/v1:RayService", "kubernetes:core/v1:Secret"])
def test_an_object_that_an_adopted_cluster_already_has_is_added_to_the_state(
    type_: str, tmp_path: Path
) -> None:
    """There another owner may have made it, so the next `up` takes nothing over by itself."""
    cloud = LocalCloud(tmp_path / "cloud", token=TOKEN)
    cloud.declare_cluster("acme-ml-dev", "us-central1", "shared")
    before = set(cloud.cloud_objects())
    shared = {"name": "shared", "existing": True, "zones": ["us-central1-a"]}
    deployment = Deployment(tmp_path, "dev", {**DEV, "ray-llm:cluster": shared}, cloud)
    _killed_while(deployment, {"type": type_, "when": "after", "sleep": 60})
    assert deployment.pulumi("cancel").returncode == 0
    refused = deployment.up()
    assert refused.returncode != 0
    assert "already exists" in refused.stdout + refused.stderr
    _add_pending_creates(deployment, tmp_path)
    deployment.must_up()
    settled = deployment.pulumi("preview", "--expect-no-changes")
    assert settled.returncode == 0, settled.stdout + settled.stderr
    destroy = deployment.pulumi("destroy", "--skip-preview")
    assert destroy.returncode == 0, destroy.stdout + destroy.stderr
    left = deployment.existing() - before
    assert all("|CustomResourceDefinition|" in key for key in left), "the CRDs alone are kept"
