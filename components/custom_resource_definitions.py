"""CustomResourceDefinitions (CRDs) on their way to a cluster, without the engine.

Only the hooks of components/kuberay_crds.py use this module, and import it when there is something
to apply: the client takes a quarter of a second to import.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lightkube import ApiError
from lightkube.generic_resource import create_global_resource
from lightkube.types import PatchType

from components.cluster_access import ClusterAccess
from components.definition_files import KIND, DefinitionError
from components.kubernetes_client import (
    FIELD_MANAGER,
    TIMEOUT_SECONDS,
    asked,
    connect,
    prepare,
    server_message,
)
from models.catalog import release_number
from rollouts import DEFINITIONS_ANNOTATION

# Which KubeRay a definition in the cluster is of; the definitions themselves do not say it.
VERSION_ANNOTATION: Final = DEFINITIONS_ANNOTATION

_DEFINITION: Final = create_global_resource(
    "apiextensions.k8s.io", "v1", KIND, "customresourcedefinitions"
)
_NAMESPACE: Final = create_global_resource("", "v1", "Namespace", "namespaces")
prepare(_DEFINITION, _NAMESPACE)
_SHOWN_FIELDS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What applying a CRD changes.

    new: whether the cluster has no such CRD yet.
    downgrade_from: the newer version that this program applied before, if there was one.
    added, removed: paths of fields, `spec.managedBy`; the shortest come first.
    """

    name: str
    version: str
    new: bool = False
    downgrade_from: str | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def sentence(self) -> str:
        """The difference in words."""
        if self.new:
            return f"{self.name}: new, of KubeRay {self.version}"
        if not self.added and not self.removed:
            return f"{self.name}: as in KubeRay {self.version} already"
        changes = [
            f"{len(fields)} {'field' if len(fields) == 1 else 'fields'} {word} ({_few(fields)})"
            for fields, word in ((self.added, "more"), (self.removed, "fewer"))
            if fields
        ]
        return f"{self.name}: becomes that of KubeRay {self.version}, {' and '.join(changes)}"


def _few(fields: tuple[str, ...]) -> str:
    shown = ", ".join(fields[:_SHOWN_FIELDS])
    return f"{shown}, ..." if len(fields) > _SHOWN_FIELDS else shown


class Definitions:
    """The CRDs of one cluster."""

    def __init__(self, access: ClusterAccess) -> None:
        """Raises UnreachableError if the kubeconfig cannot be read."""
        self._client = connect(access)

    def apply(
        self,
        definition: Mapping[str, Any],
        version: str,
        *,
        applied_before: str | None,
        owner: str | None,
        dry_run: bool,
    ) -> Difference:
        """Apply a CRD of a KubeRay version by the server, and wait until it is served.

        applied_before: the version of which this stack applied it; None if it never did.
        owner: the namespace with which Kubernetes' garbage collector deletes the CRD; None keeps
            it.
        dry_run: whether the server only checks and changes nothing.
        Raises DefinitionError if the cluster has the CRD of a newer KubeRay that is not this
        stack's, or if it refuses.
        """
        name: str = definition["metadata"]["name"]
        live = self._live(name)
        difference = _difference(live, definition, version, applied_before)
        wanted = self._with_marks(definition, version, owner, dry_run)
        if live is not None and not dry_run:
            self._take_over(name, live)
        self._patch(name, wanted, PatchType.APPLY, dry_run)
        if not dry_run:
            self._wait_until_served(name)
        return difference

    def release(self, name: str, owner: str) -> None:
        """Let a CRD outlive the namespace that owns it.

        Raises DefinitionError if the server refuses.
        """
        live = self._live(name)
        references = [] if live is None else live["metadata"].get("ownerReferences") or []
        others = [
            reference
            for reference in references
            if (reference.get("kind"), reference.get("name")) != ("Namespace", owner)
        ]
        if live is not None and others != references:
            seen = live["metadata"]["resourceVersion"]
            metadata = {"resourceVersion": seen, "ownerReferences": others}
            self._patch(name, {"metadata": metadata}, PatchType.MERGE, dry_run=False)

    def _live(self, name: str) -> Mapping[str, Any] | None:
        def get() -> Mapping[str, Any] | None:
            try:
                found: Mapping[str, Any] = self._client.get(_DEFINITION, name)
            except ApiError as error:
                if error.status.code == 404:
                    return None
                raise
            return found

        live: Mapping[str, Any] | None = self._asked(name, "read", get)
        return live

    def _with_marks(
        self, definition: Mapping[str, Any], version: str, owner: str | None, dry_run: bool
    ) -> dict[str, Any]:
        metadata = definition["metadata"]
        marks: dict[str, Any] = {
            "annotations": {**(metadata.get("annotations") or {}), VERSION_ANNOTATION: version}
        }
        # At a preview the namespace may not be there yet.
        if owner is not None and not dry_run:
            namespace = self._asked(owner, "read", lambda: self._client.get(_NAMESPACE, owner))
            uid = namespace["metadata"]["uid"]
            reference = {"apiVersion": "v1", "kind": "Namespace", "name": owner, "uid": uid}
            marks["ownerReferences"] = [reference]
        return {**definition, "metadata": {"name": metadata["name"], **marks}}

    def _take_over(self, name: str, live: Mapping[str, Any]) -> None:
        """Make this program the owner of what another one wrote, `pulumi up` of old or Helm.

        Otherwise the server would keep each field that the old version had and the new one lacks,
        because the former owner still claims it.
        """
        entries = live["metadata"].get("managedFields") or []
        of_spec = [
            entry
            for entry in entries
            if "f:spec" in (entry.get("fieldsV1") or {}) and not entry.get("subresource")
        ]
        if all(_is_ours(entry) for entry in of_spec):
            return
        owned: dict[str, Any] = {}
        for entry in (*of_spec, *filter(_is_ours, entries)):
            owned = _united(owned, entry["fieldsV1"])
        ours = {
            "manager": FIELD_MANAGER,
            "operation": "Apply",
            "apiVersion": "apiextensions.k8s.io/v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": owned,
        }
        others = [entry for entry in entries if entry not in of_spec and not _is_ours(entry)]
        # The server refuses it if somebody else has written in between.
        seen = live["metadata"]["resourceVersion"]
        metadata = {"resourceVersion": seen, "managedFields": [*others, ours]}
        self._patch(name, {"metadata": metadata}, PatchType.MERGE, dry_run=False)

    def _patch(
        self, name: str, body: Mapping[str, Any], patch_type: PatchType, dry_run: bool
    ) -> None:
        self._asked(
            name,
            "patch",
            lambda: self._client.patch(
                _DEFINITION, name, dict(body), patch_type=patch_type, force=True, dry_run=dry_run
            ),
        )

    def _wait_until_served(self, name: str) -> None:
        end = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < end:
            live = self._live(name) or {}
            conditions = (live.get("status") or {}).get("conditions") or ()
            if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
                return
            time.sleep(0.2)
        raise DefinitionError(
            f"the cluster took the CRD {name}, but does not serve it after {TIMEOUT_SECONDS} s. "
            f"`kubectl describe crd {name}` says why; run `pulumi up` again once that is mended."
        )

    def _asked(self, name: str, verb: str, ask: Callable[[], Any]) -> Any:
        return asked(name, ask, lambda error: _refusal(name, verb, error))


def _is_ours(entry: Mapping[str, Any]) -> bool:
    return entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"


def _united(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The union of two sets of fields, each as the API server writes them: mappings in mappings."""
    return {key: _united(one.get(key, {}), other.get(key, {})) for key in {**one, **other}}


def _refusal(name: str, verb: str, error: ApiError) -> DefinitionError:
    if error.status.code == 403:
        return DefinitionError(
            f"you may not {verb} the CRD {name} in this cluster. Ask its administrator for a "
            "ClusterRole with the verbs get and patch on customresourcedefinitions, or let them "
            "install KubeRay and write kubeRay: {install: existing}."
        )
    return DefinitionError(
        f"the API server refuses to {verb} the CRD {name}: {server_message(error)}. Check "
        "kubeRay.crdSource; its files must be KubeRay's own."
    )


def _difference(
    live: Mapping[str, Any] | None,
    wanted: Mapping[str, Any],
    version: str,
    applied_before: str | None,
) -> Difference:
    """Compare by fields; raises DefinitionError for a newer CRD that is not this stack's."""
    name: str = wanted["metadata"]["name"]
    if live is None:
        return Difference(name=name, version=version, new=True)
    old, new = set(_fields(live)), set(_fields(wanted))
    added, removed = _sorted(new - old), _sorted(old - new)
    there = (live["metadata"].get("annotations") or {}).get(VERSION_ANNOTATION)
    # No definition says its KubeRay. One that knows more than it lacks is newer.
    newer = (
        len(removed) > len(added)
        if there is None
        else release_number(there) > release_number(version)
    )
    if newer and (there is None or there != applied_before):
        of = f"KubeRay {there}" if there else "a newer KubeRay"
        use = (
            f"versions: {{kuberay: {there}}}" if there else "the newer release in versions.kuberay"
        )
        raise DefinitionError(
            f"the cluster's CRD {name} is of {of}: version {version} would take {len(removed)} "
            f"fields away ({_few(removed) or 'none by name'}), and with them what other "
            f"RayServices of the cluster use. Write {use}, or kubeRay: {{install: existing}} "
            "if others run KubeRay here."
        )
    return Difference(
        name=name,
        version=version,
        downgrade_from=there if newer else None,
        added=added,
        removed=removed,
    )


def _sorted(fields: set[str]) -> tuple[str, ...]:
    return tuple(sorted(fields, key=lambda path: (path.count("."), path)))


def _fields(definition: Mapping[str, Any]) -> Iterator[str]:
    """The paths of all fields of all versions of a CRD."""
    for version in definition["spec"].get("versions") or ():
        schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
        yield from _fields_of(schema, "")


def _fields_of(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in (schema.get("properties") or {}).items():
        inner = f"{path}.{key}" if path else key
        yield inner
        yield from _fields_of(value, inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from _fields_of(schema[key], path)
