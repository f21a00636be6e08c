"""`pulumi destroy` on the real engine: the service goes before what ends it."""

from pathlib import Path

import pytest

from tests.engine.deployments import Deployment, shipped_config

pytestmark = pytest.mark.engine
RAY_SERVICE = "kubernetes:ray.io/v1:RayService"
OPERATOR = "kubernetes:helm.sh/v3:Release"
NAMESPACE = "kubernetes:core/v1:Namespace"
NODE_POOL = "gcp:container/nodePool:NodePool"


def test_the_operator_and_the_pools_stay_until_the_service_is_gone(tmp_path: Path) -> None:
    """KubeRay's finalizer is on every RayService: without an operator it would never go.

    Its pods would run on, and their GPUs would be paid for.
    """
    deployment = Deployment(tmp_path, "dev", shipped_config("dev"))
    deployment.must_up()
    broken = deployment.pulumi(
        "destroy",
        "--skip-preview",
        faults=[{"type": RAY_SERVICE, "operation": "delete", "fail": "the finalizer is still set"}],
    )
    assert broken.returncode != 0
    assert "the finalizer is still set" in broken.stdout + broken.stderr
    kinds = {resource["type"] for resource in deployment.state()}
    assert {RAY_SERVICE, OPERATOR, NAMESPACE, NODE_POOL} <= kinds

    begun = len(deployment.cloud.journal())
    destroy = deployment.pulumi("destroy", "--skip-preview")
    assert destroy.returncode == 0, destroy.stdout + destroy.stderr
    deletes = [
        (entry["type"], entry["phase"])
        for entry in deployment.cloud.journal()[begun:]
        if entry["operation"] == "delete"
    ]
    gone = deletes.index((RAY_SERVICE, "done"))
    # The operator's namespace takes the CRDs with it, if they are not kept.
    for later in (OPERATOR, NAMESPACE, NODE_POOL):
        assert deletes.index((later, "begin")) > gone
    assert deployment.existing() == set()
