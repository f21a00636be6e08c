"""Writes what mounts a bucket or a disk into a pod.

Cloud Storage FUSE runs in a container of its own, which GKE adds to pods with the annotation:
https://cloud.google.com/kubernetes-engine/docs/how-to/cloud-storage-fuse-csi-driver-ephemeral
"""

from collections.abc import Mapping
from typing import Any, Final

from manifests.pod_security import RAY_GID, RAY_UID
from planning import MOUNT, SIDECAR_CPU, SIDECAR_MEMORY_GIB, BucketPlan, WeightsPlan

VOLUME: Final = "weights"
_DRIVER: Final = "gcsfuse.csi.storage.gke.io"
# A folder is written once and never changed, so that what is known of a file stays true; a file
# that is not there yet is asked for again. Files are fetched in parallel to the node's disk.
_READING: Final = (
    "implicit-dirs",
    "metadata-cache:ttl-secs:-1",
    "metadata-cache:negative-ttl-secs:0",
    "metadata-cache:stat-cache-max-size-mb:-1",
    "metadata-cache:type-cache-max-size-mb:-1",
    "file-cache:max-size-mb:-1",
    "file-cache:cache-file-for-range-read:true",
    "file-cache:enable-parallel-downloads:true",
)
_WRITING: Final = ("implicit-dirs", f"uid={RAY_UID}", f"gid={RAY_GID}")


def reading_annotations(weights: WeightsPlan | None) -> Mapping[str, str]:
    """For a pod that reads a bucket; empty for one that does not."""
    return {} if weights is None or weights.bucket is None else _annotations()


def writing_annotations() -> Mapping[str, str]:
    """For the pod that fills a bucket."""
    return _annotations()


def _annotations() -> Mapping[str, str]:
    """No limits, as Google recommends for weights; the plan keeps room for the requests."""
    prefix = "gke-gcsfuse"
    return {
        f"{prefix}/volumes": "true",
        f"{prefix}/cpu-request": f"{SIDECAR_CPU * 1000:.0f}m",
        f"{prefix}/memory-request": f"{SIDECAR_MEMORY_GIB * 1024:.0f}Mi",
        f"{prefix}/cpu-limit": "0",
        f"{prefix}/memory-limit": "0",
        f"{prefix}/ephemeral-storage-limit": "0",
    }


def reading_volume(weights: WeightsPlan) -> dict[str, Any]:
    """The volume of a GPU worker."""
    if weights.bucket is None:
        claim = {"claimName": weights.claim, "readOnly": True}
        return {"name": VOLUME, "persistentVolumeClaim": claim}
    return _bucket_volume(weights.bucket, _READING, read_only=True)


def reading_mount() -> dict[str, Any]:
    """Where a GPU worker finds the weights."""
    return {"name": VOLUME, "mountPath": MOUNT, "readOnly": True}


def writing_volume(bucket: BucketPlan) -> dict[str, Any]:
    """The volume of the pod that fills the bucket."""
    return _bucket_volume(bucket, _WRITING, read_only=False)


def _bucket_volume(
    bucket: BucketPlan, options: tuple[str, ...], *, read_only: bool
) -> dict[str, Any]:
    folder = (f"only-dir:{bucket.folder}",) if bucket.folder else ()
    return {
        "name": VOLUME,
        "csi": {
            "driver": _DRIVER,
            "readOnly": read_only,
            "volumeAttributes": {
                "bucketName": bucket.name,
                "mountOptions": ",".join((*options, *folder)),
            },
        },
    }
