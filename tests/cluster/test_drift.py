"""What Pulumi's own Kubernetes provider reports of a served stack, and of edits by hand."""

import re

import pytest
import yaml

from localcloud.testing.running_cluster import eventually
from reports.drift import Drift, drift_of
from tests.cluster.deployed import NAMESPACE, RAY, RAY_SERVICE, ClusterDeployment
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY

pytestmark = pytest.mark.cluster


def drift(deployment: ClusterDeployment) -> Drift:
    done = deployment.pulumi("preview", "--refresh", "--show-sames", "--json")
    found = drift_of(done.stdout, "preview.json")
    assert found.errors == ()
    return found


def test_a_served_stack_has_no_drift_and_an_edit_by_hand_is_named(service: Service) -> None:
    deployment, cluster = service.deployment, service.cluster
    service.edit().must_up()
    # KubeRay has written statuses and Ray's autoscaler numbers of workers by now.
    assert drift(deployment).resources == ()

    live = cluster.get(RAY_SERVICE)
    text = live["spec"]["serveConfigV2"]
    edited = re.sub(r"target_ongoing_requests: [0-9.]+", "target_ongoing_requests: 77", text)
    assert edited != text
    cluster.patch(RAY_SERVICE, {"spec": {"serveConfigV2": edited}}, "kubectl-edit")
    groups = live["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    by_hand = {**groups[-1], "groupName": "by-hand", "replicas": 0, "minReplicas": 0}
    config = {"rayClusterConfig": {"workerGroupSpecs": [*groups, by_hand]}}
    cluster.patch(RAY_SERVICE, {"spec": config}, "kubectl-edit")
    [configs] = [
        item["metadata"]["name"]
        for item in cluster.items(f"{NAMESPACE}/configmaps")
        if item["metadata"]["name"].startswith("llm-configs-")
    ]
    cluster.delete(f"{NAMESPACE}/configmaps/{configs}")

    found = {resource.name: resource for resource in drift(deployment).resources}
    assert set(found) == {"llm-ray-service", f"llm-{configs}"}
    assert found[f"llm-{configs}"].missing
    fields = {field.path: field for field in found["llm-ray-service"].fields}
    targets = [path for path in fields if path.endswith(".target_ongoing_requests")]
    applications = yaml.safe_load(text)["applications"]
    assert len(targets) >= len(applications)
    assert {fields[path].live for path in targets} == {"77"}
    assert "spec.rayClusterConfig.workerGroupSpecs[by-hand]" in fields
    deployment.pulumi("up", "--refresh", "--skip-preview")
    assert drift(deployment).resources == ()
    # Without the group it is another Ray cluster, and KubeRay keeps the old one for a minute more.
    eventually(
        lambda: len(cluster.items(f"{RAY}/rayclusters")) == 1,
        "the old cluster is gone",
        seconds=180,
    )


def test_an_update_that_would_undo_an_edit_by_hand_is_stopped_until_its_preview_knows(
    service: Service,
) -> None:
    """The edit is of `other`; the stack file edits `steady`."""
    cluster = service.cluster
    text = cluster.get(RAY_SERVICE)["spec"]["serveConfigV2"]
    config = yaml.safe_load(text)
    [other] = [item for item in config["applications"] if item["route_prefix"] == "/other"]
    other["args"]["llm_configs"][0]["engine_kwargs"]["max_model_len"] = 1024
    edited = yaml.safe_dump(config, sort_keys=False)
    cluster.patch(RAY_SERVICE, {"spec": {"serveConfigV2": edited}}, "kubectl-edit")

    deployment = service.models({**STEADY, "contextLength": 2048}, OTHER)
    stopped = deployment.up()
    said = " ".join((stopped.stdout + stopped.stderr).split())
    assert stopped.returncode != 0
    assert "The RayService ai/llm-serving was changed by others since the last `pulumi up`" in said
    assert "model other would be changed back (args.llm_configs[0].engine_kwargs" in said
    assert cluster.get(RAY_SERVICE)["spec"]["serveConfigV2"] == edited

    done = deployment.pulumi("up", "--refresh", "--skip-preview")
    assert done.returncode == 0, done.stdout + done.stderr
    service.assert_whole()
