"""A mirror on the real engine: what is pulled from it, and what its first use does.

The stand-ins pull nothing: that the registry answers is not shown here.
"""

import json
from pathlib import Path

import pytest

from tests.engine.deployments import Deployment, shipped_config
from tests.engine.test_gateway import objects

pytestmark = pytest.mark.engine

MIRROR = "us-central1-docker.pkg.dev/acme-ml-dev/mirror"


def test_the_operator_its_chart_and_every_pod_come_from_the_mirror(tmp_path: Path) -> None:
    versions = {"mirror": MIRROR}
    config = {**shipped_config("dev"), "ray-llm:versions": versions, "ray-llm:access": {}}
    deployment = Deployment(tmp_path, "dev", config)
    deployment.must_up()
    [release] = [
        resource["inputs"]
        for resource in deployment.state()
        if resource["type"] == "kubernetes:helm.sh/v3:Release"
    ]
    assert release["chart"] == f"oci://{MIRROR}/kuberay-operator"
    assert release["values"]["image"]["repository"] == f"{MIRROR}/kuberay/operator"
    text = json.dumps([objects(deployment, kind) for kind in ("RayService", "Job", "Deployment")])
    images = {part.split('"')[0] for part in text.split('"image": "')[1:]}
    assert {image.rpartition(":")[0] for image in images} == {
        f"{MIRROR}/rayproject/ray-llm",
        f"{MIRROR}/envoyproxy/envoy",
    }
    assert deployment.changes() == set()
