"""Cost allocation on the real engine: a running stack gets it in place, and pods only if asked."""

from typing import Any

import pytest

from tests.engine.deployments import Deployment
from tests.engine.test_hardening import assert_quiet, config, of_type

pytestmark = pytest.mark.engine


def test_a_running_stack_gets_labels_in_place(tmp_path: Any) -> None:
    deployment = Deployment(tmp_path, "dev", config(hardened=False))
    deployment.must_up()
    setting = {"labels": {"team": "search"}}
    deployment.write(config(hardened=False, **{"ray-llm:costAllocation": setting}))
    changes = deployment.changes()
    assert {change.operation for change in changes} <= {"update", "same"}
    assert not [change for change in changes if change.type.endswith("RayService")]
    deployment.must_up()
    [cluster] = of_type(deployment, "gcp:container/cluster:Cluster")
    assert cluster["costManagementConfig"] == {"enabled": True}
    for pool in of_type(deployment, "gcp:container/nodePool:NodePool"):
        expected = {"team": "search", "ray-llm-stack": "dev", "ray-llm-pool": pool["name"]}
        assert pool["nodeConfig"]["labels"] == pool["nodeConfig"]["resourceLabels"] == expected
    namespaces = {
        namespace["metadata"]["name"]: namespace["metadata"].get("labels") or {}
        for namespace in of_type(deployment, "kubernetes:core/v1:Namespace")
    }
    assert namespaces["ai"]["team"] == "search"
    assert_quiet(deployment)

    setting_of_pods = {**setting, "pods": True}
    deployment.write(config(hardened=False, **{"ray-llm:costAllocation": setting_of_pods}))
    done = deployment.preview()
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 0, text
    assert "second Ray cluster" in text
