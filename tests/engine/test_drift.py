"""The drift report of a deployed stack, on the real engine."""

from pathlib import Path
from typing import Any

import pytest

from localcloud.store import CloudStore
from reports.command_line import UNREADABLE, main
from reports.drift import Drift, Origin, drift_of
from reports.pulumi_preview import engine_preview
from tests.engine.deployments import TOKEN, Deployment, shipped_config

pytestmark = pytest.mark.engine

CONFIG = shipped_config("dev") | {"ray-llm:versions": {"ray": "2.60.0"}}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    deployment = Deployment(tmp_path_factory.mktemp("drift"), "dev", CONFIG)
    deployment.must_up()
    return deployment


def drift(deployment: Deployment) -> Drift:
    done = deployment.pulumi("preview", "--refresh", "--show-sames", "--json")
    assert done.returncode == 0, engine_preview(done.stdout, "preview.json").errors
    assert TOKEN not in done.stdout
    return drift_of(done.stdout, "preview.json")


def key_of(deployment: Deployment, part: str) -> str:
    [key] = [key for key in deployment.existing() if part in key]
    return key


def edit_pool(deployment: Deployment, change: dict[str, Any]) -> None:
    """Change the inputs of the GPU pool as Google has them."""
    with CloudStore(deployment.cloud.home, "gcp").transaction() as content:
        [pool] = [entry for key, entry in content.items() if key.endswith("/nodePools/l4")]
        pool["inputs"] = {**pool["inputs"], **change}


def test_what_others_change_as_they_should_is_no_drift(deployed: Deployment) -> None:
    """KubeRay writes statuses; GKE changes numbers of nodes."""
    service = key_of(deployed, "|RayService|")
    deployed.cloud.edit_object(service, ["status"], {"serviceStatus": "WaitForServe"}, "kuberay")
    edit_pool(deployed, {"initialNodeCount": 3})
    assert drift(deployed).resources == ()


def test_edits_by_hand_are_named_field_by_field(deployed: Deployment) -> None:
    service = key_of(deployed, "|RayService|")
    spec = deployed.cloud.cloud_objects()[service]["object"]["spec"]
    spec["serveConfigV2"] = spec["serveConfigV2"].replace(
        "max_model_len: 4096", "max_model_len: 1024"
    )
    groups = spec["rayClusterConfig"]["workerGroupSpecs"]
    groups.append({**groups[-1], "groupName": "by-hand"})
    deployed.cloud.edit_object(service, ["spec"], spec, "kubectl-edit")
    with CloudStore(deployed.cloud.home, "kubernetes").transaction() as content:
        server, _, config_map = key_of(deployed, "|ConfigMap|ai|llm-configs").partition("|")
        del content[server][config_map]
    edit_pool(deployed, {"autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 9}})

    found = {resource.name: resource for resource in drift(deployed).resources}
    assert set(found) == {"llm-ray-service", "llm-llm-configs-qwen2.5", "gpu-pools-l4"}
    assert {resource.origin for resource in found.values()} == {Origin.CLOUD}
    edited, added = found["llm-ray-service"].fields
    assert edited.path == (
        "spec.serveConfigV2: applications./qwen2.5-1.5b-instruct.args.llm_configs[0]"
        ".engine_kwargs.max_model_len"
    )
    assert (edited.live, edited.wanted) == ("1024", "4096")
    assert (added.path, added.live) == ("spec.rayClusterConfig.workerGroupSpecs[by-hand]", "added")
    assert found["llm-llm-configs-qwen2.5"].missing
    maximum = {field.path: (field.live, field.wanted) for field in found["gpu-pools-l4"].fields}
    assert maximum["autoscaling.totalMaxNodeCount"] == ("9", "4")


def test_what_is_not_deployed_yet_is_not_called_an_edit_by_hand(deployed: Deployment) -> None:
    pools = [{"tier": "l4", "maxNodes": 5}]
    deployed.write({**CONFIG, "ray-llm:gpuPools": pools})
    found = {resource.name: resource for resource in drift(deployed).resources}
    fields = {field.path: field for field in found["gpu-pools-l4"].fields}
    assert fields["autoscaling.totalMaxNodeCount"].origin is Origin.BOTH
    deployed.write(CONFIG)
    deployed.must_up()
    deployed.pulumi("up", "--refresh", "--skip-preview")
    deployed.write({**CONFIG, "ray-llm:gpuPools": pools})
    found = {resource.name: resource for resource in drift(deployed).resources}
    assert found["gpu-pools-l4"].origin is Origin.STACK_FILE
    deployed.write(CONFIG)
    assert [item.name for item in drift(deployed).resources] == []


def test_a_preview_without_refresh_is_no_answer(deployed: Deployment, tmp_path: Path) -> None:
    done = deployed.pulumi("preview", "--json")
    path = tmp_path / "preview.json"
    path.write_text(done.stdout, encoding="utf-8")
    assert main(["drift", f"--preview={path}"]) == UNREADABLE
