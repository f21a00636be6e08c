"""Buckets and claims that pods mount, without a running cluster."""

import asyncio
import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.cluster.buckets import BUCKET, Buckets, MountError
from localcloud.cluster.kubernetes_api import KubernetesApi, Object
from localcloud.cluster.ray_environments import STANDINS
from localcloud.cluster.volumes import Volumes


def volume(bucket: str, options: str = "implicit-dirs") -> Object:
    return {
        "name": "weights",
        "csi": {
            "driver": "gcsfuse.csi.storage.gke.io",
            "volumeAttributes": {"bucketName": bucket, "mountOptions": options},
        },
    }


@pytest.fixture
def buckets(tmp_path: Path) -> Buckets:
    return Buckets(tmp_path / "buckets", tmp_path / "gcp.json")


def record(buckets: Buckets, *names: str) -> None:
    """What the `gcp` stand-in writes of buckets that stacks have."""
    entries = {name: {"type": BUCKET, "inputs": {"name": name}} for name in names}
    buckets.record.write_text(json.dumps(entries))


def mounted(buckets: Buckets, folder: Path, shown: Object) -> Volumes:
    """The volumes of a pod with this one."""
    api: KubernetesApi = None  # type: ignore[assignment] # not asked for a bucket
    pod: Any = {"metadata": {"namespace": "ai"}, "spec": {"volumes": [shown]}}
    volumes = Volumes(api, pod, folder, buckets, buckets.folder.parent / "claims")
    asyncio.run(volumes.write(lambda text: text))
    return volumes


def test_all_pods_see_what_one_of_them_wrote(buckets: Buckets, tmp_path: Path) -> None:
    record(buckets, "acme-weights")
    one = mounted(buckets, tmp_path / "one", volume("acme-weights"))
    (one.folders["weights"] / "llms").mkdir()
    (one.folders["weights"] / "llms" / "config.json").write_text("{}")
    other = mounted(buckets, tmp_path / "other", volume("acme-weights", "uid=1,only-dir:llms"))
    assert (other.folders["weights"] / "config.json").read_text() == "{}"
    assert other.bucket_mounts({"/weights": str(other.folders["weights"]), "/tmp": "/x"}) == {
        "/weights": str(buckets.folder / "acme-weights" / "llms")
    }


def test_a_claim_is_one_folder_for_all_pods(buckets: Buckets, tmp_path: Path) -> None:
    claimed = {"name": "cache", "persistentVolumeClaim": {"claimName": "vllm-cache"}}
    one, other = (mounted(buckets, tmp_path / pod, claimed) for pod in ("one", "other"))
    (one.folders["cache"] / "kept").write_text("by one")
    assert (other.folders["cache"] / "kept").read_text() == "by one"
    another = {"name": "cache", "persistentVolumeClaim": {"claimName": "another"}}
    assert not list(mounted(buckets, tmp_path / "one", another).folders["cache"].iterdir())


def test_a_bucket_that_is_not_there_is_not_mounted(buckets: Buckets, tmp_path: Path) -> None:
    record(buckets, "acme-weights")
    with pytest.raises(MountError, match="code = NotFound desc = storage: bucket doesn't exist"):
        mounted(buckets, tmp_path, volume("acme-other"))
    (buckets.folder / "acme-other").mkdir(parents=True)
    assert mounted(buckets, tmp_path, volume("acme-other")).folders


def test_a_bucket_s_objects_go_with_it(buckets: Buckets) -> None:
    mine = buckets.folder / "mine"
    mine.mkdir(parents=True)
    record(buckets, "acme-weights")
    buckets.follow()
    (buckets.folder / "acme-weights" / "config.json").write_text("{}")
    buckets.follow()
    assert (buckets.folder / "acme-weights" / "config.json").exists()
    record(buckets)
    buckets.follow()
    assert not (buckets.folder / "acme-weights").exists()
    assert mine.exists()


def test_an_engine_does_not_start_without_its_weights_in_the_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(STANDINS)
    check_weights = importlib.import_module("echo").check_weights
    monkeypatch.setenv("POD_BUCKETS", json.dumps({"/weights": str(tmp_path)}))
    with pytest.raises(RuntimeError, match="/weights/acme/own/main is not a local folder"):
        check_weights("/weights/acme/own/main")
    (tmp_path / "acme/own/main").mkdir(parents=True)
    (tmp_path / "acme/own/main/config.json").write_text("{}")
    check_weights("/weights/acme/own/main")
    # Of other sources nothing is read.
    check_weights("acme/own")
    check_weights("/models/own")
