"""Helm releases as records, with the checks that Helm makes without the chart.

No chart is downloaded or rendered, so values are not checked against it. Only
`kuberay-operator` has an effect here. As with Helm, its first install creates
its CRDs unless `skipCrds` is set, and later ones never upgrade or delete them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from localcloud.providers.kubernetes import crds
from localcloud.providers.kubernetes.objects import ObjectRef
from localcloud.providers.server import ProviderError
from localcloud.providers.wire import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.providers.kubernetes.stored_api import StoredApi

RELEASE: Final = "kubernetes:helm.sh/v3:Release"
_API: Final = "helm.sh/v3"
_SEMVER: Final = re.compile(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.-]+)*")


def problems(inputs: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Arguments that Helm refuses before it talks to the cluster."""
    chart, repository = inputs.get("chart"), inputs.get("repositoryOpts") or {}
    is_bare = isinstance(chart, str) and "/" not in chart and not chart.startswith(".")
    if is_bare and not repository.get("repo"):
        yield "chart", f"chart {chart!r} needs repositoryOpts.repo, an oci:// address or a path"
    version = inputs.get("version")
    if isinstance(version, str) and not _SEMVER.fullmatch(version):
        yield "version", f"{version!r} is not a chart version"
    name = inputs.get("name")
    if isinstance(name, str) and len(name) > 53:
        yield "name", f"release name {name!r} is longer than 53 characters"


def ref_of(inputs: dict[str, Any]) -> ObjectRef:
    """Where the record of a release is kept."""
    return ObjectRef(_API, "Release", inputs.get("namespace") or "default", inputs["name"])


def outputs(inputs: dict[str, Any], revision: int | None) -> dict[str, Any]:
    """A release's outputs; without a revision (a preview) its status is unknown."""
    public = {key: value for key, value in inputs.items() if not key.startswith("__")}
    if revision is None:
        return {**public, "status": UNKNOWN}
    return {
        **public,
        "status": {
            "name": inputs["name"],
            "namespace": inputs.get("namespace") or "default",
            "chart": inputs.get("chart"),
            "version": inputs.get("version") or "",
            "appVersion": inputs.get("version") or "",
            "revision": revision,
            "status": "deployed",
        },
    }


def install(api: StoredApi, inputs: dict[str, Any]) -> dict[str, Any]:
    """Record a new release; its name must be free and its namespace must exist."""
    ref = ref_of(inputs)
    with api.store.transaction() as content:
        api.require_cluster()
        cluster = content.setdefault(api.server, {})
        if inputs.get("createNamespace"):
            _ensure(cluster, "v1", "Namespace", {"metadata": {"name": ref.namespace}})
        api.require_namespace(ref, content)
        if ref.key in cluster:
            msg = f"cannot re-use a name that is still in use: {ref.id}"
            raise ProviderError(msg)
        cluster[ref.key] = {"object": inputs, "revision": 1}
        if str(inputs.get("chart", "")).endswith("kuberay-operator") and not inputs.get("skipCrds"):
            for definition in crds.kuberay_crds(api.cache, f"v{inputs.get('version', '1.6.2')}"):
                _ensure(cluster, "apiextensions.k8s.io/v1", "CustomResourceDefinition", definition)
    return outputs(inputs, 1)


def upgrade(api: StoredApi, inputs: dict[str, Any]) -> dict[str, Any]:
    """Record the next revision of a release."""
    ref = ref_of(inputs)
    with api.store.transaction() as content:
        api.require_cluster()
        entry = content.setdefault(api.server, {}).get(ref.key)
        if entry is None:
            msg = f"release {ref.id} not found"
            raise ProviderError(msg)
        entry["object"], entry["revision"] = inputs, entry["revision"] + 1
        return outputs(inputs, entry["revision"])


def read(api: StoredApi, ref: ObjectRef) -> dict[str, Any] | None:
    """The record of a release with its revision, or None."""
    entry: dict[str, Any] | None = api.store.read().get(api.server, {}).get(ref.key)
    return entry


def _ensure(cluster: dict[str, Any], api_version: str, kind: str, body: dict[str, Any]) -> None:
    ref = ObjectRef(api_version, kind, None, body["metadata"]["name"])
    obj = {"apiVersion": api_version, "kind": kind, **body}
    cluster.setdefault(ref.key, {"object": obj})
