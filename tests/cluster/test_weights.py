"""Weights from a bucket: the Job fills it from a hub, and the models read them from there.

Kubernetes, its Job controller, KubeRay, Ray Serve, the Job's program and Hugging Face's client are
real. A folder that pods share stands for the bucket and Cloud Storage FUSE, without permissions
(localcloud/cluster/buckets.py); a server on loopback for the hub; an engine that only looks for
`config.json` for vLLM. The tests of this file follow one another on one stack.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from localcloud.store import CloudStore
from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from manifests.weights.script.folder import RECORD
from models.catalog import ray_releases
from tests.cluster.commands import doctor
from tests.cluster.deployed import NAMESPACE, RAY_SERVICE, ClusterDeployment
from tests.cluster.releases import release
from tests.cluster.running import Cluster
from tests.cluster.stacks import small_stack
from tests.cluster.stage import Stage
from tests.engine.deployments import TOKEN
from tests.manifests.weights.hub_server import LARGE, Hub, serving

pytestmark = pytest.mark.cluster

BUCKET, FOLDER = "acme-weights", "llms"
JOBS = f"/apis/batch/v1{NAMESPACE.removeprefix('/api/v1')}/jobs"
FIRST, ADDED, REFUSED = (f"Qwen/Qwen2.5-{size}-Instruct" for size in ("0.5B", "1.5B", "3B"))
NAMES = {FIRST: "first", ADDED: "added", REFUSED: "refused"}


def model(source: str) -> dict[str, Any]:
    name = source.partition("/")[2].lower()
    return {"model": name, "name": NAMES[source], "gpu": "l4", "replicas": {"min": 1, "max": 1}}


def repository(source: str) -> dict[str, bytes]:
    """Files as a checkpoint has them, each with other bytes; the last one is not fetched."""
    weights = source.encode() * (LARGE // 4)
    return {
        "config.json": json.dumps({"model_type": "qwen2", "of": source}).encode(),
        "model-00001-of-00002.safetensors": weights,
        "model-00002-of-00002.safetensors": weights[::-1],
        "pytorch_model.bin": weights,
    }


def fetched(source: str) -> dict[str, bytes]:
    """What the bucket has to hold of a repository."""
    files = repository(source)
    del files["pytorch_model.bin"]
    return files


@dataclass
class Filled:
    """A stack with its weights in a bucket, and the hub that the bucket is filled from."""

    deployment: ClusterDeployment
    hub: Hub
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def cluster(self) -> Cluster:
        return self.deployment.cluster

    @property
    def bucket(self) -> Path:
        return self.cluster.bucket(BUCKET)

    def write(self, *sources: str, **sections: Any) -> None:
        """Write the stack file with these models; the other sections stay as they are."""
        self.config |= {f"ray-llm:{key}": value for key, value in sections.items()}
        self.config["ray-llm:models"] = [model(source) for source in sources]
        self.deployment.write(copy.deepcopy(self.config))

    def quiet_hub(self) -> None:
        """Forget what the hub was asked for so far."""
        self.hub.asked.clear()
        self.hub.sent_bytes = 0

    def stored(self, source: str) -> dict[str, bytes]:
        """The files of a repository that are in the bucket, without the record."""
        folder = self.bucket / FOLDER / source / "main"
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.name != RECORD
        }

    def has_record(self, source: str) -> bool:
        return (self.bucket / FOLDER / source / "main" / RECORD).exists()

    def filling_log(self) -> str:
        """What the pods of the Job have written that is there now."""
        [name] = [
            job["metadata"]["name"]
            for job in self.cluster.items(JOBS)
            if job["metadata"]["name"].startswith("weights-filler-")
        ]
        logs = (self.cluster.state.folder / "logs").glob(f"{name}-*.log")
        return "\n".join(path.read_text() for path in logs)


@pytest.fixture(scope="module")
def filled(
    stage: Stage, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, figures: Figures
) -> Iterator[Filled]:
    """One model, whose repository is gated, with weights in a bucket that the stack makes."""
    stage.clear()
    cluster.install_kuberay()
    config = small_stack()
    # The bucket of a protected stack stays when the stack goes.
    config["ray-llm:cluster"]["deletionProtection"] = True
    config["ray-llm:gpuPools"] = [{"tier": "l4", "maxNodes": 3}]
    deployment = ClusterDeployment(tmp_path_factory.mktemp("weights"), "weights", config, cluster)
    hub = Hub(
        repositories={source: repository(source) for source in (FIRST, ADDED, REFUSED)},
        gated={FIRST: TOKEN, REFUSED: "hf_of_somebody_else"},
    )
    filled = Filled(deployment, hub, config)
    filled.write(FIRST, weights=f"gs://{BUCKET}/{FOLDER}")
    with serving(hub), cluster.hub(hub.url):
        with figures.timed("weights in a bucket: first up to an answer"):
            deployment.must_up()
        yield filled
    if deployment.state():
        deployment.pulumi("state", "unprotect", "--all", "--yes")
        deployment.destroy()
    with CloudStore(deployment.cloud.home, "gcp").transaction() as content:
        for key in [key for key in content if key.endswith(f"/buckets/{BUCKET}")]:
            del content[key]
    deployment.assert_nothing_left()


def test_the_job_fills_the_bucket_and_the_model_reads_it(filled: Filled) -> None:
    cluster = filled.cluster
    assert filled.stored(FIRST) == fetched(FIRST)
    assert filled.has_record(FIRST)
    assert filled.hub.sent_bytes == sum(map(len, fetched(FIRST).values()))
    assert f"{FIRST}: complete at" in filled.filling_log()
    assert TOKEN not in filled.filling_log()
    filled.deployment.assert_answers("first")
    # The engine has been told the folder, and its process finds the bucket where the pod mounts it.
    arguments = filled.deployment.serve_config("first")
    source = arguments["model_loading_config"]["model_source"]
    assert source == f"/weights/{FIRST}/main"
    [pod] = cluster.engine_pods("first")
    [engine] = [
        process
        for process in cluster.processes_of(pod)
        if "LLMServer" in process.name() or "LLMServer" in " ".join(process.cmdline())
    ]
    mounted = json.loads(engine.environ()["POD_BUCKETS"])
    here = Path(mounted["/weights"] + source.removeprefix("/weights"))
    assert (here / "config.json").read_bytes() == fetched(FIRST)["config.json"]
    filled.deployment.settled()


def test_a_model_that_is_added_fetches_its_own_repository_alone(
    filled: Filled, figures: Figures
) -> None:
    clusters = filled.deployment.ray_clusters()
    filled.quiet_hub()
    filled.write(FIRST, ADDED)
    with figures.timed("weights in a bucket: a model added, until it answers"):
        filled.deployment.must_up()
    assert filled.hub.sent_bytes == sum(map(len, fetched(ADDED).values()))
    assert [path for path in filled.hub.asked if ADDED not in path] == []
    assert f"{FIRST}: complete, nothing to fetch" in filled.filling_log()
    assert filled.stored(ADDED) == fetched(ADDED)
    filled.deployment.assert_answers("first", "added")
    assert filled.deployment.ray_clusters() == clusters


def test_a_repository_that_the_hub_refuses_leaves_the_service_as_it_was(filled: Filled) -> None:
    cluster, deployment = filled.cluster, filled.deployment
    before = cluster.get(RAY_SERVICE)["spec"]
    filled.write(FIRST, ADDED, REFUSED)
    done = deployment.up()
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert f"{REFUSED}: is gated, and the stack's Hugging Face token may not read it" in said
    assert TOKEN not in said
    assert cluster.get(RAY_SERVICE)["spec"] == before
    assert filled.stored(REFUSED) == {}
    deployment.assert_answers("first", "added")
    code, found = doctor(deployment)
    assert code == 1
    finding = found["weights-not-filled"]
    assert finding["why"].startswith(f"{REFUSED}: is gated")
    assert finding["mend"]["path"] == "ray-llm:huggingFaceToken"


def test_a_pod_waits_for_a_bucket_that_is_not_there(filled: Filled) -> None:
    cluster = filled.cluster
    bucket = {
        "driver": "gcsfuse.csi.storage.gke.io",
        "volumeAttributes": {"bucketName": "acme-later"},
    }
    pod = {
        "restartPolicy": "Never",
        "volumes": [{"name": "bucket", "csi": bucket}],
        "containers": [
            {
                "name": "reader",
                "image": ray_releases()[release().ray].image,
                "command": ["python", "-c", "print(open('/bucket/file').read())"],
                "volumeMounts": [{"name": "bucket", "mountPath": "/bucket"}],
            }
        ],
    }
    reader = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "reader", "namespace": "ai"},
        "spec": {"template": {"spec": pod}},
    }

    def refused() -> bool:
        return any(
            item["reason"] == "FailedMount" and "storage: bucket doesn't exist" in item["message"]
            for item in cluster.items(f"{NAMESPACE}/events")
        )

    cluster.apply(reader)
    try:
        eventually(refused, "the pod waits for its bucket", seconds=60)
        cluster.bucket("acme-later").mkdir()
        (cluster.bucket("acme-later") / "file").write_text("here")
        eventually(
            lambda: cluster.get(f"{JOBS}/reader")["status"].get("succeeded"),
            "it reads from the bucket",
            seconds=60,
        )
    finally:
        cluster.api(lambda api: api.delete(f"{JOBS}/reader", grace_seconds=0))


def test_a_second_start_moves_no_byte_from_the_hub_and_asks_nothing(
    filled: Filled, figures: Figures
) -> None:
    deployment = filled.deployment
    there = {"bucket": f"gs://{BUCKET}/{FOLDER}", "existing": True, "location": "us-central1"}
    open_cluster = {**filled.config["ray-llm:cluster"], "deletionProtection": False}
    filled.quiet_hub()
    # The bucket is given up, and the service goes on with it.
    clusters = deployment.ray_clusters()
    filled.write(FIRST, ADDED, weights=there, cluster=open_cluster)
    deployment.must_up()
    deployment.assert_answers("first", "added")
    assert deployment.ray_clusters() == clusters
    deployment.destroy()
    assert filled.stored(FIRST) == fetched(FIRST)

    with figures.timed("weights in a bucket: second start, up to every answer"):
        deployment.must_up()
    log = filled.filling_log()
    assert f"{FIRST}: complete, nothing to fetch" in log
    assert f"{ADDED}: complete, nothing to fetch" in log
    assert (filled.hub.sent_bytes, filled.hub.asked) == (0, [])
    figures.add("weights in a bucket: bytes from the hub at a second start", "0")
    deployment.assert_answers("first", "added")
