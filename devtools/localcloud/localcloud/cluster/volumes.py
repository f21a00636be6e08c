"""The volumes of a pod: folders with the files of ConfigMaps, Secrets and tokens, kept up to date.

As a kubelet writes them: each set of files is a folder of its own, `..data` is a link to the
current one, and each name in the volume is a link through it. So all files of a volume change at
once, for programs that watch the folder. A kubelet takes up to a minute for it, this one two
seconds.

The folder of a volume that is a bucket is that of the bucket itself (buckets.py). That of a
PersistentVolumeClaim is one for all pods, whatever its access modes say: the scheduler, which is
real, keeps a pod from running whose claim is not there or not bound. Not modelled: storage classes,
owners and permissions of files, and how fast such a volume is.
"""

import asyncio
import base64
import contextlib
import itertools
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp

from localcloud.cluster.buckets import Buckets, is_bucket
from localcloud.cluster.kubernetes_api import ApiError, KubernetesApi, Object

PERIOD_SECONDS = 2.0
DATA = "..data"
_SOURCES = {"configMap", "secret", "projected"}
_CLAIM = "persistentVolumeClaim"
Files = dict[str, bytes]


class ConfigError(Exception):
    """A Secret, ConfigMap or key that a container names does not exist."""


async def read_data(api: KubernetesApi, namespace: str, kind: str, name: str) -> Files:
    """The entries of a ConfigMap or Secret. Raises ConfigError if it does not exist."""
    plural = {"Secret": "secrets", "ConfigMap": "configmaps"}[kind]
    try:
        obj = await api.get(f"/api/v1/namespaces/{namespace}/{plural}/{name}")
    except ApiError as error:
        if error.status == 404:
            raise ConfigError(f'{kind} "{name}" not found') from None
        raise
    data = obj.get("data") or {}
    if kind == "Secret":
        return {key: base64.b64decode(value) for key, value in data.items()}
    binary = obj.get("binaryData") or {}
    return {key: value.encode() for key, value in data.items()} | {
        key: base64.b64decode(value) for key, value in binary.items()
    }


async def read_optional(api: KubernetesApi, namespace: str, kind: str, reference: Object) -> Files:
    """The entries of a ConfigMap or Secret; none if it may be absent and is."""
    try:
        return await read_data(api, namespace, kind, reference["name"])
    except ConfigError:
        if reference.get("optional"):
            return {}
        raise


class Volumes:
    """The folders of a pod's volumes.

    folders: each volume's folder by its name; a bucket's only once the volumes are written.
    """

    def __init__(
        self, api: KubernetesApi, pod: Object, folder: Path, buckets: Buckets, claims: Path
    ):
        self.api = api
        self.pod = pod
        self.buckets = buckets
        self._volumes: Mapping[str, Object] = {
            volume["name"]: volume for volume in pod["spec"].get("volumes", [])
        }
        claimed = claims / pod["metadata"]["namespace"]
        self.folders = {
            name: claimed / volume[_CLAIM]["claimName"]
            if _CLAIM in volume
            else folder / "volumes" / name
            for name, volume in self._volumes.items()
            if not is_bucket(volume)
        }
        self._written: dict[str, Files] = {}
        self._tokens: Files = {}
        self._numbers = itertools.count(1)

    async def write(self, rewrite: Callable[[str], str]) -> None:
        """Write the files of all volumes; `rewrite` makes their text fit this machine.

        Raises ConfigError if something that a volume names does not exist, and MountError if that
        is a bucket.
        """
        for name, volume in self._volumes.items():
            if is_bucket(volume):
                self.folders.setdefault(name, self.buckets.mount(volume))
                continue
            target = self.folders[name]
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            files = {
                path: _rewritten(content, rewrite)
                for path, content in (await self._read(volume)).items()
            }
            if files != self._written.get(name, {}):
                self._swap(target, files)
                self._written[name] = files

    def bucket_mounts(self, mounts: Mapping[str, str]) -> dict[str, str]:
        """Those of a container's mount paths, with their paths here, that are in a bucket."""
        buckets = [
            str(folder) for name, folder in self.folders.items() if is_bucket(self._volumes[name])
        ]
        return {
            path: here
            for path, here in mounts.items()
            if any(Path(here).is_relative_to(bucket) for bucket in buckets)
        }

    async def follow(self, rewrite: Callable[[str], str]) -> None:
        """Write the files again whenever their sources change, until cancelled."""
        if not any(_SOURCES & volume.keys() for volume in self._volumes.values()):
            return
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            if not self._written:
                continue  # no container has started yet
            with contextlib.suppress(ConfigError, ApiError, aiohttp.ClientError, TimeoutError):
                await self.write(rewrite)

    def _swap(self, target: Path, files: Files) -> None:
        folder = target / f"..{next(self._numbers)}"
        for path, content in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.touch(mode=0o600)
            file.write_bytes(content)
        before = (target / DATA).resolve() if (target / DATA).exists() else None
        link = target / "..data_tmp"
        link.symlink_to(folder.name)
        link.replace(target / DATA)
        names = {Path(path).parts[0] for path in files}
        for name in names:
            if not (target / name).is_symlink():
                (target / name).symlink_to(f"{DATA}/{name}")
        for old in target.iterdir():
            if old.is_symlink() and old.name != DATA and old.name not in names:
                old.unlink()
        if before:
            shutil.rmtree(before)

    async def _read(self, volume: Object) -> Files:
        files: Files = {}
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            files |= await self._read_source(volume["name"], source)
        return files

    async def _read_source(self, volume: str, source: Object) -> Files:
        files: Files = {}
        namespace = self.pod["metadata"]["namespace"]
        for key, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
            if key in source:
                reference = source[key]
                name = {"name": reference.get("secretName") or reference.get("name"), **reference}
                data = await read_optional(self.api, namespace, kind, name)
                items = reference.get("items") or [{"key": k, "path": k} for k in data]
                for item in items:
                    if item["key"] not in data:
                        raise ConfigError(
                            f'key "{item["key"]}" not found in {kind} "{name["name"]}"'
                        )
                    files[item["path"]] = data[item["key"]]
        if "serviceAccountToken" in source:
            if volume not in self._tokens:
                self._tokens[volume] = await self._token(namespace)
            files[source["serviceAccountToken"]["path"]] = self._tokens[volume]
        return files

    async def _token(self, namespace: str) -> bytes:
        account = self.pod["spec"].get("serviceAccountName", "default")
        answer = await self.api.create(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                # Longer than a cluster on one machine runs, because nothing renews it here.
                "spec": {"expirationSeconds": 24 * 3600},
            },
        )
        token: str = answer["status"]["token"]
        return token.encode()


def _rewritten(content: bytes, rewrite: Callable[[str], str]) -> bytes:
    try:
        return rewrite(content.decode()).encode()
    except UnicodeDecodeError:
        return content
