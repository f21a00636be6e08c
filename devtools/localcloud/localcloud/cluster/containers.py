"""Turns a container's specification into a process on this machine.

Environment, command and volumes are computed as in a kubelet: Secrets and
ConfigMaps are read from the API, `$(NAME)` is expanded, and a missing key is a
CreateContainerConfigError. A process has no mounts, so the folder of a volume
(volumes.py) replaces the mount path wherever a command, an argument, a variable
or, of Envoy's pods, a file contains it.
"""

import re
from pathlib import Path
from typing import Any

from localcloud.cluster.kubernetes_api import KubernetesApi, Object
from localcloud.cluster.volumes import ConfigError, read_optional

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the same in every pod and here
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_LABEL = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


def expand(text: str, variables: dict[str, str]) -> str:
    """Replace `$(NAME)` by the variable; unknown names are kept, `$$` becomes `$`."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


async def environment(api: KubernetesApi, pod: Object, container: Object) -> dict[str, str]:
    """The container's variables, in the order in which they are defined."""
    namespace = pod["metadata"]["namespace"]
    variables: dict[str, str] = {}
    for source in container.get("envFrom", []):
        for key, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
            if key in source:
                data = await read_optional(api, namespace, kind, source[key])
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


async def _value_from(
    api: KubernetesApi, pod: Object, container: Object, source: Object
) -> str | None:
    for key, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if key in source:
            reference = source[key]
            data = await read_optional(api, pod["metadata"]["namespace"], kind, reference)
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
    """Replace every mount path in the text, but none in what another one is replaced by."""
    if not mounts:
        return text
    listed = "|".join(map(re.escape, mounts))
    return re.sub(
        rf"({listed})(?=$|[/\s\"':;,)}}\]])", lambda match: mounts[match[1]].rstrip("/"), text
    )
