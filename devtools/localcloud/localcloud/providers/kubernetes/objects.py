"""Kubernetes objects: what identifies them and what every API server checks.

Names, labels, annotations, quantities, which kinds have no namespace, which
fields cannot change, and how Secret data is kept: as a digest, so that the local
cloud's files never hold a token.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from localcloud.providers import diff
from localcloud.providers.wire import known_part

if TYPE_CHECKING:
    from collections.abc import Iterator

Problem = tuple[str, str]

CLUSTER_SCOPED: Final = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CSIDriver",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingWebhookConfiguration",
    }
)

GATEWAY_GROUP: Final = "gateway.networking.k8s.io"

# Fields whose change makes the provider replace the object. They include ConfigMap
# and Secret contents unless the Provider sets enableConfigMapMutable or
# enableSecretMutable.
FORCE_NEW: Final = {
    "ConfigMap": ("data", "binaryData"),
    "Secret": ("type", "stringData", "data"),
    "Deployment": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.podManagementPolicy"),
    "Job": ("spec.completions", "spec.selector", "spec.template"),
    "PersistentVolumeClaim": ("spec.storageClassName", "spec.accessModes", "spec.selector"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "StorageClass": ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
    "Service": ("spec.clusterIP",),
}
_DNS_1123_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_1123_SUBDOMAIN: Final = re.compile(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)
_DNS_1035_LABEL: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_QUANTITY: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?\d+))?")
_CONFIG_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")


@dataclass(frozen=True)
class ObjectRef:
    """Identity of an object in one cluster."""

    api_version: str
    kind: str
    namespace: str | None
    name: str

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def key(self) -> str:
        """The key in the store; the API versions of one group and kind share objects."""
        return f"{self.group}|{self.kind}|{self.namespace or ''}|{self.name}"

    @property
    def plural(self) -> str:
        """The resource name as API server messages write it."""
        lower = self.kind.lower()
        if lower.endswith("y"):
            lower = f"{lower[:-1]}ie"
        resource = f"{lower}s" if not lower.endswith("s") else f"{lower}es"
        return f"{resource}.{self.group}" if self.group else resource

    @property
    def id(self) -> str:
        """The id that Pulumi uses for it."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def is_built_in(group: str) -> bool:
    """Whether every API server has the group; the Gateway API's has such a name and is none."""
    return "." not in group or (group.endswith(".k8s.io") and group != GATEWAY_GROUP)


def metadata_of(obj: dict[str, Any]) -> dict[str, Any]:
    """The metadata of an object, empty if absent or not known yet."""
    metadata = known_part(obj.get("metadata"))
    return metadata if isinstance(metadata, dict) else {}


def metadata_problems(obj: dict[str, Any]) -> Iterator[Problem]:
    """Names, labels and annotations that an API server refuses."""
    metadata, kind = metadata_of(obj), obj.get("kind")
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if isinstance(name, str):
        if kind == "Namespace":
            pattern, limit = _DNS_1123_LABEL, 63
        elif kind == "Service":
            pattern, limit = _DNS_1035_LABEL, 63
        else:
            pattern, limit = _DNS_1123_SUBDOMAIN, 253
        if not pattern.fullmatch(name) or len(name) > limit:
            reason = (
                f"Invalid value: {name!r}: not a valid {kind} name of at most {limit} characters"
            )
            yield "metadata.name", reason
    if isinstance(namespace, str) and not _DNS_1123_LABEL.fullmatch(namespace):
        yield "metadata.namespace", f"Invalid value: {namespace!r}"
    for field in ("labels", "annotations"):
        for key, value in (metadata.get(field) or {}).items():
            path = diff.join(f"metadata.{field}", key)
            prefix, _, bare = key.rpartition("/")
            if not _is_qualified(bare):
                yield path, f"Invalid key {key!r}"
            if prefix and not _DNS_1123_SUBDOMAIN.fullmatch(prefix):
                yield path, f"Invalid key prefix {prefix!r}"
            if not isinstance(value, str):
                yield path, f"expected a string, got {value!r}"
            elif field == "labels" and value and not _is_qualified(value):
                yield path, f"Invalid label value {value!r}"


def _is_qualified(text: str) -> bool:
    return bool(_QUALIFIED_NAME.fullmatch(text)) and len(text) <= 63


def content_problems(obj: dict[str, Any]) -> Iterator[Problem]:
    """Quantities, config keys and Pulumi's own wait annotations."""
    if obj.get("kind") in ("ConfigMap", "Secret"):
        for field in ("data", "binaryData", "stringData"):
            items = obj.get(field)
            for key in items if isinstance(items, dict) else ():
                if not _CONFIG_KEY.fullmatch(key):
                    yield diff.join(field, key), f"{key!r} is not a valid config key"
    yield from _quantity_problems(obj.get("spec"), "spec")
    annotations = metadata_of(obj).get("annotations") or {}
    timeout = annotations.get("pulumi.com/timeoutSeconds")
    if isinstance(timeout, str) and not timeout.isdigit():
        path = diff.join("metadata.annotations", "pulumi.com/timeoutSeconds")
        yield path, f"must be a number of seconds, got {timeout!r}"
    wait_for = annotations.get("pulumi.com/waitFor")
    if isinstance(wait_for, str) and not wait_for.startswith(("condition=", "jsonpath=", "[")):
        path = diff.join("metadata.annotations", "pulumi.com/waitFor")
        yield path, f"must start with condition= or jsonpath=, got {wait_for!r}"


def _quantity_problems(value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _quantity_problems(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            child = diff.join(path, key)
            if path.endswith(".resources") and key in ("limits", "requests"):
                yield from _bad_quantities(item, child)
            else:
                yield from _quantity_problems(item, child)


def _bad_quantities(items: Any, path: str) -> Iterator[Problem]:
    for name, quantity in items.items() if isinstance(items, dict) else ():
        if isinstance(quantity, (str, int, float)) and not _QUANTITY.fullmatch(str(quantity)):
            yield diff.join(path, name), f"{quantity!r} is not a quantity"


def with_data(secret: dict[str, Any]) -> dict[str, Any]:
    """A Secret as the API server stores it: `stringData` merged into `data`."""
    data = dict(secret.get("data") or {})
    for key, value in (secret.get("stringData") or {}).items():
        known = isinstance(value, str)
        data[key] = base64.b64encode(value.encode()).decode() if known else value
    stored = {key: value for key, value in secret.items() if key != "stringData"}
    return {"type": "Opaque", **stored, "data": data}


def digested(secret: dict[str, Any]) -> dict[str, Any]:
    """A Secret with a digest in place of each value."""
    data = {
        key: f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"
        for key, value in (secret.get("data") or {}).items()
    }
    return {**secret, "data": data}
