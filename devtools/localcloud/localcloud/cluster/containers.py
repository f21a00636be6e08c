"""Turns a container's specification into a process on this machine.

Environment, command and volumes are computed as in a kubelet: Secrets and
ConfigMaps are read from the API, `$(NAME)` is expanded, and a missing key is a
CreateContainerConfigError. The files of a volume are written below the pod's
folder. A process has no mounts, so that folder replaces the mount path wherever
a command, an argument or a variable contains it.
"""

import base64
import re
from pathlib import Path
from typing import Any

from localcloud.cluster.kubernetes_api import ApiError, KubernetesApi, Object

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the same in every pod and here
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_LABEL = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class ConfigError(Exception):
    """A Secret, ConfigMap or key that a container names does not exist."""


def expand(text: str, variables: dict[str, str]) -> str:
    """Replace `$(NAME)` by the variable; unknown names are kept, `$$` becomes `$`."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


async def read_data(api: KubernetesApi, namespace: str, kind: str, name: str) -> dict[str, bytes]:
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


async def environment(api: KubernetesApi, pod: Object, container: Object) -> dict[str, str]:
    """The container's variables, in the order in which they are defined."""
    namespace = pod["metadata"]["namespace"]
    variables: dict[str, str] = {}
    for source in container.get("envFrom", []):
        for key, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
            if key in source:
                data = await _optional(api, namespace, kind, source[key])
                prefix = source.get("prefix", "")
                variables.update({prefix + k: v.decode() for k, v in data.items()})
    for entry in container.get("env", []):
        if "valueFrom" not in entry:
            variables[entry["name"]] = expand(entry.get("value", ""), variables)
            continue
        value = await _value_from(api, pod, container, entry["valueFrom"])
        if value is not None:
            variables[entry["name"]] = value
    return variables


async def _optional(
    api: KubernetesApi, namespace: str, kind: str, reference: Object
) -> dict[str, bytes]:
    try:
        return await read_data(api, namespace, kind, reference["name"])
    except ConfigError:
        if reference.get("optional"):
            return {}
        raise


async def _value_from(
    api: KubernetesApi, pod: Object, container: Object, source: Object
) -> str | None:
    for key, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if key in source:
            reference = source[key]
            data = await _optional(api, pod["metadata"]["namespace"], kind, reference)
            if reference["key"] in data:
                return data[reference["key"]].decode()
            if reference.get("optional"):
                return None
            raise ConfigError(f'key "{reference["key"]}" not found in {kind} "{reference["name"]}"')
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"]["fieldPath"])
    resource = source["resourceFieldRef"]["resource"]
    kind, _, name = resource.partition(".")
    return str(container.get("resources", {}).get(kind, {}).get(name, "0"))


def _field(pod: Object, path: str) -> str:
    if match := _LABEL.fullmatch(path):
        return str(pod["metadata"].get(match[1], {}).get(match[2], ""))
    value: Any = pod
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return str(value)


async def write_volumes(api: KubernetesApi, pod: Object, folder: Path) -> dict[str, Path]:
    """Write the files of the pod's volumes; returns each volume's folder by its name."""
    namespace = pod["metadata"]["namespace"]
    volumes = {}
    for volume in pod["spec"].get("volumes", []):
        target = folder / "volumes" / volume["name"]
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        volumes[volume["name"]] = target
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            await _write_source(api, pod, namespace, source, target)
    return volumes


async def _write_source(
    api: KubernetesApi, pod: Object, namespace: str, source: Object, target: Path
) -> None:
    for key, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
        if key in source:
            reference = source[key]
            name = {"name": reference.get("secretName") or reference.get("name"), **reference}
            data = await _optional(api, namespace, kind, name)
            items = reference.get("items") or [{"key": k, "path": k} for k in data]
            for item in items:
                if item["key"] not in data:
                    raise ConfigError(f'key "{item["key"]}" not found in {kind} "{name["name"]}"')
                path = target / item["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch(mode=0o600)
                path.write_bytes(data[item["key"]])
    if "serviceAccountToken" in source:
        account = pod["spec"].get("serviceAccountName", "default")
        answer = await api.create(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                # Longer than a cluster on one machine runs, because nothing renews it here.
                "spec": {"expirationSeconds": 24 * 3600},
            },
        )
        path = target / source["serviceAccountToken"]["path"]
        path.touch(mode=0o600)
        path.write_text(answer["status"]["token"])


def mount_paths(container: Object, volumes: dict[str, Path]) -> dict[str, str]:
    """Mount path -> path on this machine, the longest first; /dev/shm is not replaced."""
    mounts = {}
    for mount in container.get("volumeMounts", []):
        source = volumes.get(mount["name"])
        if source is None or mount["mountPath"] == SHARED_MEMORY:
            continue
        mounts[mount["mountPath"].rstrip("/")] = str(source / mount.get("subPath", ""))
    return dict(sorted(mounts.items(), key=lambda item: -len(item[0])))


def replace_mounts(text: str, mounts: dict[str, str]) -> str:
    """Replace every mount path in the text."""
    for inside, outside in mounts.items():
        text = re.sub(re.escape(inside) + r"(?=$|[/\s\"':;,)])", outside.rstrip("/"), text)
    return text
