"""Buckets of Cloud Storage that pods mount: one folder each, which all pods of a cluster share.

A bucket exists as long as a stack has it at the local Google, or as long as somebody has made its
folder, `buckets/NAME` in the cluster's folder. A pod mounts it by a volume of Cloud Storage FUSE's
driver, as a whole or only a folder of it:
https://cloud.google.com/kubernetes-engine/docs/how-to/cloud-storage-fuse-csi-driver-ephemeral

Not modelled: permissions (any pod reads and writes any bucket, whatever IAM says), read-only
mounts, the minutes until a new role works, caches and what they hide, how fast a bucket is, what
it costs, objects whose names are no paths, and the container that GKE adds to the pod.
"""

import asyncio
import contextlib
import json
import shutil
from pathlib import Path
from typing import Final

from localcloud.cluster.kubernetes_api import Object

DRIVER: Final = "gcsfuse.csi.storage.gke.io"
BUCKET: Final = "gcp:storage/bucket:Bucket"
_ONLY: Final = "only-dir:"
_PERIOD_SECONDS: Final = 1.0


class MountError(Exception):
    """A volume that cannot be mounted, in the words of the kubelet's event."""


class Buckets:
    """The buckets of one cluster.

    folder: holds a folder for each. record: what the `gcp` stand-in says exists.
    """

    def __init__(self, folder: Path, record: Path) -> None:
        self.folder = folder
        self.record = record
        self._of_stacks: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Delete the objects of a bucket with the bucket, until cancelled."""
        while True:
            self.follow()
            await asyncio.sleep(_PERIOD_SECONDS)

    def follow(self) -> None:
        """Make and remove the folders of those buckets that stacks made and deleted since."""
        recorded = self._recorded()
        for name in recorded - self._of_stacks:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for name in self._of_stacks - recorded:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self._of_stacks = recorded

    def mount(self, volume: Object) -> Path:
        """The folder that a pod's volume shows. Raises MountError for a bucket that is not there.

        The words are those of Google's driver.
        """
        attributes: dict[str, str] = volume["csi"]["volumeAttributes"]
        name = attributes["bucketName"]
        bucket = self.folder / name
        if not bucket.is_dir() and name not in self._recorded():
            raise MountError(
                f'MountVolume.SetUp failed for volume "{volume["name"]}" : rpc error: code = '
                "NotFound desc = storage: bucket doesn't exist"
            )
        mounted = bucket / _folder_of(attributes.get("mountOptions", ""))
        mounted.mkdir(parents=True, exist_ok=True)
        return mounted

    def _recorded(self) -> frozenset[str]:
        with contextlib.suppress(FileNotFoundError, ValueError):
            content = json.loads(self.record.read_text(encoding="utf-8"))
            return frozenset(
                entry["inputs"]["name"] for entry in content.values() if entry["type"] == BUCKET
            )
        return frozenset()


def is_bucket(volume: Object) -> bool:
    """Whether a pod's volume is a bucket."""
    return bool(volume.get("csi", {}).get("driver") == DRIVER)


def _folder_of(options: str) -> str:
    """The folder that the options of a mount name; empty for the whole bucket."""
    found = [option for option in options.split(",") if option.startswith(_ONLY)]
    return found[-1].removeprefix(_ONLY).strip("/") if found else ""
