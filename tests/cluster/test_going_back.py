"""The previous revision again, after an update that began a second Ray cluster and did not end."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from models.catalog import ray_releases
from tests.cluster.deployed import NAMESPACE, RAY, RAY_SERVICE, ClusterDeployment, kill_engine
from tests.cluster.load import Load
from tests.cluster.releases import release
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY
from tests.engine.deployments import urn_type

pytestmark = pytest.mark.cluster

OUT_OF_MEMORY = "No available memory for the cache blocks."
RAY_SERVICE_TYPE = "kubernetes:ray.io/v1:RayService"
JOB_TYPE = "kubernetes:batch/v1:Job"


@pytest.fixture
def service(service: Service) -> Iterator[Service]:
    yield service
    service.cluster.engine_faults({})


def mirrored(service: Service, *models: dict[str, Any]) -> ClusterDeployment:
    """The same release from another registry: KubeRay starts a second Ray cluster."""
    image = f"us-docker.pkg.dev/acme/mirror/{ray_releases()[release().ray].image}"
    versions = {**service.base["ray-llm:versions"], "image": image}
    edited = {**service.base, "ray-llm:versions": versions}
    if models:
        edited["ray-llm:models"] = list(models)
    return service.write(edited)


def pending(service: Service) -> str:
    """The name of the Ray cluster that KubeRay is starting; empty if it starts none."""
    status = service.cluster.get(RAY_SERVICE)["status"]
    return (status.get("pendingServiceStatus") or {}).get("rayClusterName") or ""


def serving_cluster(service: Service) -> str:
    """The uid of the Ray cluster that answers."""
    name = service.cluster.get(RAY_SERVICE)["status"]["activeServiceStatus"]["rayClusterName"]
    uid: str = service.cluster.get(f"{RAY}/rayclusters/{name}")["metadata"]["uid"]
    return uid


def alone(service: Service) -> bool:
    return len(service.cluster.items(f"{RAY}/rayclusters")) == 1 and not pending(service)


def exported(deployment: ClusterDeployment) -> dict[str, Any]:
    done = deployment.pulumi("stack", "export")
    assert done.returncode == 0, done.stderr
    state: dict[str, Any] = json.loads(done.stdout)
    return state


def forget_ray_service(deployment: ClusterDeployment, before: dict[str, Any]) -> None:
    """The state as if the engine had been killed between its request and its note of the answer.

    That moment is too short to be met by a kill. By then all that comes before the RayService is
    noted, and the smoke test of before is still there.
    """
    now = exported(deployment)["deployment"]
    was = {item["urn"]: item for item in before["deployment"]["resources"]}
    later = {urn for urn in was if urn_type(urn) in {RAY_SERVICE_TYPE, JOB_TYPE}}
    kept = [item for item in now["resources"] if item["urn"] not in later]
    resources = [*kept, *(item for urn, item in was.items() if urn in later)]
    state = {**before, "deployment": {**now, "resources": resources, "pending_operations": []}}
    file = deployment.folder / "spliced.json"
    file.write_text(json.dumps(state), encoding="utf-8")
    done = deployment.pulumi("stack", "import", "--file", str(file), "--force")
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = f"/apis/batch/v1{NAMESPACE.removeprefix('/api/v1')}/jobs"
    for job in deployment.cluster.items(jobs):
        deployment.cluster.delete(f"{jobs}/{job['metadata']['name']}?propagationPolicy=Background")
    [old] = [item["inputs"] for urn, item in was.items() if urn_type(urn) == JOB_TYPE]
    eventually(lambda: not deployment.cluster.items(jobs), "the new smoke test is gone", seconds=30)
    deployment.cluster.apply({key: old[key] for key in ("apiVersion", "kind", "metadata", "spec")})


def killed(service: Service, update: ClusterDeployment) -> None:
    """Kill an update once the second cluster starts and the engine waits for the models."""
    running = update.start_up()
    eventually(lambda: pending(service), "KubeRay prepares a second Ray cluster", seconds=60)
    time.sleep(6)
    assert kill_engine(running)
    update.pulumi("cancel", "--yes")
    assert pending(service)


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(True, id="noted", marks=pytest.mark.thorough),
        pytest.param(False, id="sent"),
    ],
)
def test_a_second_cluster_that_is_pending_is_given_up(
    service: Service, figures: Figures, known: bool
) -> None:
    before, serving = exported(service.deployment), serving_cluster(service)
    service.cluster.engine_faults({"*": {"start_seconds": 60.0}})
    with Load(service.cluster, ("steady", "other"), per_second=8) as load:
        killed(service, mirrored(service, {**STEADY, "contextLength": 2048}, OTHER))
        if not known:
            forget_ray_service(service.deployment, before)
        started = time.monotonic()
        service.write(service.base)
        said = service.deployment.preview()
        assert said.returncode == 0, said.stdout + said.stderr
        log = service.deployment.must_up()
        seconds = time.monotonic() - started
        assert pending(service) == ""
        eventually(lambda: alone(service), "the second cluster is gone", seconds=180)
    figures.add(
        f"back while a second cluster starts ({known=})", f"{load.summary()}, {seconds:.0f} s"
    )
    assert load.lost == [], load.lost[:3]
    assert serving_cluster(service) == serving
    assert "is given up" in log
    service.assert_whole()


@pytest.mark.thorough
def test_a_rollout_that_failed_is_undone_without_another_cluster(
    service: Service, figures: Figures
) -> None:
    serving = serving_cluster(service)
    service.cluster.engine_faults({"steady": {"start": OUT_OF_MEMORY}})
    with Load(service.cluster, ("steady", "other"), per_second=8) as load:
        failed = mirrored(service).up()
        assert failed.returncode != 0
        assert OUT_OF_MEMORY in failed.stdout + failed.stderr
        service.cluster.engine_faults({})
        service.write(service.base)
        said = service.deployment.preview()
        text = " ".join((said.stdout + said.stderr).split())
        assert said.returncode == 0, text
        assert "is given up" in text
        assert "KubeRay starts a second Ray cluster" not in text
        service.deployment.must_up()
        eventually(lambda: alone(service), "the second cluster is gone", seconds=180)
    figures.add("back after a failed second cluster", load.summary())
    assert load.lost == [], load.lost[:3]
    assert serving_cluster(service) == serving
    service.assert_whole()
