"""The Kubernetes API that the provider stand-in uses: each cluster's objects in a file.

It refuses what an API server refuses: objects in a missing namespace, kinds
without a CRD, unknown fields, and conflicts between field managers.
"""

from __future__ import annotations

import copy
import hashlib
import time
from typing import TYPE_CHECKING, Any, Final

from localcloud.providers import diff
from localcloud.providers.gcp.provider import CLUSTER, endpoint_of
from localcloud.providers.kubernetes import crds, objects, structural
from localcloud.providers.kubernetes.objects import ObjectRef
from localcloud.providers.server import ProviderError
from localcloud.store import CloudStore, cache_from_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALWAYS_THERE: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
_NO_MATCH_TRIES: Final = 6
_NO_MATCH_PAUSE_SECONDS: Final = 0.2


class NoMatchError(ProviderError):
    """No CRD defines this kind (yet)."""


class StoredApi:
    """A cluster whose objects are kept in a file; nothing runs in it."""

    def __init__(self, home: Path, server: str, cache: Path | None = None) -> None:
        self.server = server
        self.cache = cache or cache_from_environment()
        self.store = CloudStore(home, "kubernetes")
        self.gcp = CloudStore(home, "gcp")
        self._announced: dict[tuple[str, str], dict[str, Any]] = {}
        self._from_store: dict[tuple[str, str], dict[str, Any]] | None = None

    def announce(self, definition: dict[str, Any]) -> None:
        """Add a CRD that a preview is about to create."""
        spec = definition.get("spec") or {}
        kind = (spec.get("names") or {}).get("kind")
        if isinstance(kind, str) and isinstance(spec.get("group"), str):
            self._announced[(spec["group"], kind)] = definition

    def problems(self, obj: dict[str, Any]) -> Iterator[objects.Problem]:
        """Validate a custom resource strictly, if its CRD is already known."""
        definition = self._definition(obj.get("apiVersion"), obj.get("kind"))
        if definition is None:
            return
        _, version = _split(obj["apiVersion"])
        for served in definition["spec"].get("versions") or ():
            if served.get("name") == version:
                schema = served.get("schema", {}).get("openAPIV3Schema", {})
                body = {key: value for key, value in obj.items() if key != "metadata"}
                yield from structural.problems(body, schema)
                return
        yield "apiVersion", f"{obj['kind']} has no version {version}"

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """By CRD for custom resources, by name for the built-in kinds."""
        definition = self._definition(api_version, kind)
        if definition is not None:
            return bool(definition["spec"].get("scope") == "Namespaced")
        return kind not in objects.CLUSTER_SCOPED

    def get(self, ref: ObjectRef) -> dict[str, Any] | None:
        """The stored object, or None."""
        entry = self._cluster(self.store.read()).get(ref.key)
        return None if entry is None else entry["object"]

    def create(self, ref: ObjectRef, obj: dict[str, Any], *, upsert: bool) -> dict[str, Any]:
        """Create, after waiting briefly for a CRD that another resource is creating."""
        self._wait_for_kind(ref)
        with self.store.transaction() as content:
            self._refuse(ref, obj, content)
            cluster = self._cluster(content)
            if ref.key in cluster and not upsert:
                msg = _not_created(ref, f'{ref.plural} "{ref.name}" already exists')
                raise ProviderError(msg)
            live = _live(self.server, ref, obj)
            cluster[ref.key] = {"object": _stored(live)}
        self._from_store = None
        return live

    def apply(self, ref: ObjectRef, obj: dict[str, Any], *, force: bool) -> dict[str, Any]:
        """Update; a field that another manager owns is a conflict unless forced."""
        with self.store.transaction() as content:
            self._refuse(ref, obj, content)
            cluster = self._cluster(content)
            entry = cluster.get(ref.key)
            live = _live(self.server, ref, obj)
            foreign = (entry or {}).get("foreign") or {}
            if entry is not None and foreign and not force:
                changed = {path for path, _ in diff.differences(entry["object"], _stored(live))}
                conflicts = sorted(changed & set(foreign))
                if conflicts:
                    manager = foreign[conflicts[0]]
                    msg = (
                        f"the Kubernetes API server reported that {ref.id!r} failed to fully "
                        f"initialize or become live: Server-Side Apply field conflict detected: "
                        f'Apply failed with {len(conflicts)} conflict: conflict with "{manager}" '
                        f"using {ref.api_version}: .{conflicts[0]}"
                    )
                    raise ProviderError(msg)
            cluster[ref.key] = {"object": _stored(live)}
        self._from_store = None
        return live

    def delete(self, ref: ObjectRef) -> None:
        """Delete, with what goes with it: see `_goes_with`."""
        with self.store.transaction() as content:
            cluster = self._cluster(content)
            deleted = [ref.key] if ref.key in cluster else []
            for key in deleted:  # grows while it is read
                obj = cluster.pop(key)["object"]
                deleted += [
                    other
                    for other, entry in cluster.items()
                    if other not in deleted and _goes_with(key, obj, other, entry["object"])
                ]
        self._from_store = None

    def require_namespace(self, ref: ObjectRef, content: dict[str, Any]) -> None:
        """Refuse an object in a namespace that does not exist."""
        key = ObjectRef("v1", "Namespace", None, ref.namespace or "").key
        there = key in self._cluster(content) or ref.namespace in ALWAYS_THERE
        if ref.namespace and not there:
            raise ProviderError(_not_created(ref, f'namespaces "{ref.namespace}" not found'))

    def require_cluster(self) -> None:
        """Refuse a call to a GKE cluster that does not exist in the local cloud."""
        if self.server.startswith("https://198.18."):
            endpoints = {
                f"https://{endpoint_of(id_)}"
                for id_, entry in self.gcp.read().items()
                if entry["type"] == CLUSTER
            }
            if self.server not in endpoints:
                msg = f"configured Kubernetes cluster is unreachable: no cluster at {self.server}"
                raise ProviderError(msg)

    def _refuse(self, ref: ObjectRef, obj: dict[str, Any], content: dict[str, Any]) -> None:
        self.require_cluster()
        self.require_namespace(ref, content)
        problems = list(self.problems(obj))
        if problems:
            reasons = "; ".join(f"{path}: {reason}" for path, reason in problems)
            raise ProviderError(_not_created(ref, f'{ref.kind} "{ref.name}" is invalid: {reasons}'))

    def _wait_for_kind(self, ref: ObjectRef) -> None:
        """Wait for the CRD of a kind, as the real provider retries."""
        if objects.is_built_in(ref.group):
            return
        for attempt in range(_NO_MATCH_TRIES):
            if self._installed().get((ref.group, ref.kind)) is not None:
                return
            time.sleep(_NO_MATCH_PAUSE_SECONDS * (attempt + 1))
            self._from_store = None
        reason = f'no matches for kind "{ref.kind}" in version "{ref.api_version}"'
        raise NoMatchError(_not_created(ref, reason))

    def _definition(self, api_version: Any, kind: Any) -> dict[str, Any] | None:
        if not isinstance(api_version, str) or not isinstance(kind, str):
            return None
        group, _ = _split(api_version)
        if objects.is_built_in(group):
            return None
        return self._announced.get((group, kind)) or self._installed().get((group, kind))

    def kinds(self, group: str, version: str) -> set[str]:
        """The kinds of a version of a group that the cluster's CRDs define."""
        return {
            kind
            for (own, kind), definition in self._installed().items()
            if own == group and version in {v["name"] for v in definition["spec"]["versions"]}
        }

    def _installed(self) -> dict[tuple[str, str], dict[str, Any]]:
        """CRDs in the cluster: created ones, and those of GKE's add-ons that are enabled."""
        if self._from_store is None:
            found = [
                entry["object"]
                for key, entry in self._cluster(self.store.read()).items()
                if "|CustomResourceDefinition|" in key
            ]
            cluster = self._google_cluster()
            addons = cluster.get("addonsConfig") or {}
            if any(ray.get("enabled") for ray in addons.get("rayOperatorConfigs") or ()):
                found += crds.kuberay_crds(self.cache)
            channel = (cluster.get("gatewayApiConfig") or {}).get("channel")
            if channel in ("CHANNEL_STANDARD", "CHANNEL_EXPERIMENTAL"):
                found += crds.gateway_crds(self.cache)
            if cluster:
                found.append(crds.compute_class_crd())
            managed = (cluster.get("monitoringConfig") or {}).get("managedPrometheus") or {}
            if cluster and managed.get("enabled", True):
                found += crds.managed_prometheus_crds()
            self._from_store = {(d["spec"]["group"], d["spec"]["names"]["kind"]): d for d in found}
        return self._from_store

    def _google_cluster(self) -> dict[str, Any]:
        """The arguments of this cluster, empty if Google has none at this address."""
        for id_, entry in self.gcp.read().items():
            if entry["type"] == CLUSTER and f"https://{endpoint_of(id_)}" == self.server:
                inputs: dict[str, Any] = entry["inputs"]
                return inputs
        return {}

    def _cluster(self, content: dict[str, Any]) -> dict[str, Any]:
        cluster: dict[str, Any] = content.setdefault(self.server, {})
        return cluster


def _split(api_version: str) -> tuple[str, str]:
    group, _, version = api_version.rpartition("/")
    return group, version


def _goes_with(key: str, obj: dict[str, Any], other_key: str, other: dict[str, Any]) -> bool:
    """Whether a namespace's object, a CRD's custom resource, or what an object owns."""
    _, kind, _, name = key.split("|", 3)
    other_group, other_kind, namespace, _ = other_key.split("|", 3)
    if kind == "Namespace" and namespace == name:
        return True
    spec = obj.get("spec") or {}
    if kind == "CustomResourceDefinition" and (other_group, other_kind) == (
        spec.get("group"),
        (spec.get("names") or {}).get("kind"),
    ):
        return True
    uid = objects.metadata_of(obj).get("uid")
    owners = objects.metadata_of(other).get("ownerReferences") or ()
    return uid is not None and uid in {owner.get("uid") for owner in owners}


def _not_created(ref: ObjectRef, reason: str) -> str:
    return f"resource {ref.id} was not successfully created by the Kubernetes API server: {reason}"


def _live(server: str, ref: ObjectRef, obj: dict[str, Any]) -> dict[str, Any]:
    """The object as the cluster shows it once the provider has waited for it."""
    live = copy.deepcopy(obj)
    if ref.kind == "Secret":
        live = objects.with_data(live)
    uid = hashlib.sha256(f"{server} {ref.key}".encode()).hexdigest()
    live["metadata"] = {
        **objects.metadata_of(live),
        "uid": f"{uid[:8]}-{uid[8:12]}-4{uid[13:16]}-8{uid[17:20]}-{uid[20:32]}",
    }
    status = _STATUS.get(ref.kind)
    if ref.kind == "Service" and (obj.get("spec") or {}).get("type") == "LoadBalancer":
        status = {"loadBalancer": {"ingress": [{"ip": f"10.128.0.{int(uid[:4], 16) % 254 + 1}"}]}}
    if status is not None:
        live["status"] = status
    return live


_READY = {"type": "Ready", "status": "True", "reason": "NonZeroServeEndpoints"}
_STATUS: Final[dict[str, dict[str, Any]]] = {
    "Namespace": {"phase": "Active"},
    "Job": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]},
    "RayService": {"serviceStatus": "Running", "conditions": [_READY]},
}


def _stored(live: dict[str, Any]) -> dict[str, Any]:
    return objects.digested(live) if live.get("kind") == "Secret" else live
