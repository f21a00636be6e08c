"""KubeRay's CRDs: the server applies them, and the state keeps their names and version alone.

As resources the four CRDs of a KubeRay carry a megabyte of schema each through program, engine,
provider and state, at every preview. Helm installs the CRDs of a chart once and never upgrades
them. So a CRD has a record in the state, a `pulumi.Stash`, which costs no provider; before the
engine creates or changes a record, a hook of it applies the CRD. At a preview the same hook lets
the server check it and says what would change.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.cluster_access import AccessOfProvider, ClusterAccess
from components.definition_files import check_definition, read_definition
from models.catalog import release_number

CRD_SOURCE: Final = (
    "https://raw.githubusercontent.com/ray-project/kuberay/v{version}/ray-operator/config/crd/bases"
)

# The kinds of KubeRay and the release that brought them, from ray-operator/config/crd/bases of its
# tags. Every kind has a record, whatever the release: a record that goes is not applied any more.
_SINCE: Final[Mapping[str, str]] = {
    "rayclusters": "1.0.0",
    "raycronjobs": "1.6.0",
    "rayjobs": "1.0.0",
    "rayservices": "1.0.0",
}


@dataclass(frozen=True, kw_only=True)
class KubeRayCrds:
    """Which CRDs a cluster is to have.

    version: of KubeRay, `1.6.2`; None if somebody else installs it. The records are there all the
        same, so that a stack that lets go of the CRDs does not delete them.
    source: the folder of the CRDs' YAML files, one CRD a file, as a URL or a path; `{version}` is
        replaced.
    namespace: of the operator; with `keep` false Kubernetes deletes the CRDs with it.
    keep: whether the CRDs stay when the operator goes. To delete one deletes all its objects,
        every RayService of the cluster among them.
    """

    version: str | None
    source: str = CRD_SOURCE
    namespace: pulumi.Input[str]
    keep: bool = True

    def records(
        self, name: str, parent: pulumi.Resource, namespace: pulumi.Resource | None = None
    ) -> list[pulumi.Stash]:
        """A record for each CRD of KubeRay, which exists once the cluster serves the CRD.

        name: of the component that is the parent; namespace: the resource of that namespace.
        """
        hook = pulumi.ResourceHook(
            f"{name}-apply-crd",
            _Applying(
                access=AccessOfProvider.of(parent.get_provider("kubernetes:core/v1:Namespace")),
                source=self.source,
            ),
            pulumi.ResourceHookOptions(on_dry_run=True),
        )
        binding = pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])
        return [
            pulumi.Stash(
                f"{name}-crd-{plural}",
                input=self._record(plural, namespace),
                opts=pulumi.ResourceOptions(
                    parent=parent,
                    depends_on=[] if namespace is None else [namespace],
                    hooks=binding,
                    aliases=[_as_a_resource(name, plural, parent)],
                ),
            )
            for plural in _SINCE
        ]

    def _record(
        self, plural: str, namespace: pulumi.Resource | None
    ) -> dict[str, pulumi.Input[Any]]:
        record: dict[str, pulumi.Input[Any]] = {"name": f"{plural}.ray.io"}
        if self.version is None:
            return record
        if release_number(self.version) >= release_number(_SINCE[plural]):
            record["kubeRay"] = self.version
        if not self.keep:
            record["deletedWith"] = self.namespace
        if namespace is not None:
            # One with another uid is in another cluster, or was made again: the CRDs are not there,
            # or it has to own them again.
            metadata = pulumi.Output.from_input(getattr(namespace, "metadata", None))
            record["uid"] = metadata.apply(lambda known: (known or {}).get("uid"))
        return record


def crd_location(name: str, source: str, version: str) -> str:
    """The URL or path of the file with the CRD `rayservices.ray.io`."""
    plural, _, group = name.partition(".")
    return f"{source.replace('{version}', version).rstrip('/')}/{group}_{plural}.yaml"


def _as_a_resource(name: str, plural: str, parent: pulumi.Resource) -> pulumi.Alias:
    """The CRD as earlier versions of this program kept it: an object of a ConfigGroup.

    The record takes its place in the state, so that the engine does not delete the CRD.
    """
    group = pulumi.create_urn(f"{name}-crds", "kubernetes:yaml/v2:ConfigGroup", parent=parent.urn)
    return pulumi.Alias(
        name=f"{name}-crds:{plural}.ray.io",
        type_="kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
        parent=group,
    )


@dataclass(frozen=True, kw_only=True)
class _Applying:
    """The hook: applies the CRD of a record, or at a preview lets the server check it."""

    access: AccessOfProvider
    source: str

    # Pulumi names a hook by this.
    __name__ = "apply_crd"

    async def __call__(self, args: pulumi.ResourceHookArgs) -> None:
        record = (args.new_inputs or {})["input"]
        before = (args.old_inputs or {}).get("input") or {}
        access = await self.access.known()
        # In a thread, because the hooks of all CRDs run at the same time.
        await asyncio.to_thread(self._apply, record, before, access)

    def _apply(
        self, record: Mapping[str, Any], old: Mapping[str, Any], access: ClusterAccess | None
    ) -> None:
        name, version = record["name"], record.get("kubeRay")
        if version is None:
            self._leave(record, old, access)
            return
        before, preview = old.get("kubeRay"), pulumi.runtime.is_dry_run()
        if preview and "deletedWith" in record and "deletedWith" not in old:
            pulumi.warn(
                f"{name} goes with the namespace {record['deletedWith']} from now on, and with it "
                "every object of its kind in the cluster."
            )
        location = crd_location(name, self.source, version)
        if access is None:
            # The cluster is created by the same `up`, which reads the CRD.
            check_definition(name, location, version)
            return
        # A run that applies nothing does without the client.
        from components.custom_resource_definitions import Definitions
        from components.kubernetes_client import UnreachableError

        definition = read_definition(name, location, version)
        try:
            difference = Definitions(access).apply(
                definition,
                version,
                applied_before=before,
                owner=record.get("deletedWith"),
                dry_run=preview,
            )
        except UnreachableError as error:
            if not preview:
                raise
            pulumi.warn(f"{name} was not compared with the cluster's: {error}")
            return
        if difference.downgrade_from:
            pulumi.warn(
                f"{difference.sentence()}: a downgrade from {difference.downgrade_from}. What "
                "objects of this kind say in those fields is dropped when they are next written."
            )
        elif preview:
            pulumi.info(difference.sentence())

    def _leave(
        self, record: Mapping[str, Any], old: Mapping[str, Any], access: ClusterAccess | None
    ) -> None:
        """Leave a CRD in the cluster as it is, also if it was to go with a namespace.

        The same `up` may delete that namespace.
        """
        name, before, owner = record["name"], old.get("kubeRay"), old.get("deletedWith")
        if before is not None:
            pulumi.warn(
                f"{name} stays in the cluster as KubeRay {before} left it: this stack does not "
                "apply it any more."
            )
        if owner is None or "deletedWith" in record:
            return
        if access is not None and not pulumi.runtime.is_dry_run():
            from components.custom_resource_definitions import Definitions

            Definitions(access).release(name, owner)
