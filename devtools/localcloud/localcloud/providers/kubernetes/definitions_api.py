"""What a control plane of the local cloud answers to requests for CRDs, namespaces and Secrets.

Programs apply CRDs by the server without Pulumi's provider, and look for what others have made.
This is the part of the API that they use: GET, also of the kinds of a group that CRDs define, and
of CRDs PATCH as server-side apply or as a merge patch of the metadata. It checks that a CRD has
what the API server asks of one, but not that its schema is structural. Everybody may read
everything, and a Secret's values are digests.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from localcloud.faults import recorded
from localcloud.providers.kubernetes.objects import ObjectRef
from localcloud.providers.kubernetes.stored_api import StoredApi
from localcloud.providers.server import ProviderError

if TYPE_CHECKING:
    from pathlib import Path

    from yarl import URL

KIND: Final = "CustomResourceDefinition"
_PATHS: Final = (
    (
        r"/apis/apiextensions\.k8s\.io/v1/customresourcedefinitions/(?P<name>[^/]+)",
        "apiextensions.k8s.io/v1",
        KIND,
    ),
    (r"/api/v1/namespaces/(?P<name>[^/]+)", "v1", "Namespace"),
    (r"/api/v1/namespaces/(?P<namespace>[^/]+)/secrets/(?P<name>[^/]+)", "v1", "Secret"),
)
_GROUP: Final = re.compile(r"/apis/(?P<group>[^/]+)/(?P<version>[^/]+)")
_OF_THE_SERVER: Final = ("managedFields", "resourceVersion")
_SERVED: Final = {"conditions": [{"type": "Established", "status": "True"}]}


def answer(
    home: Path, cache: Path, method: str, host: str, url: URL, body: bytes
) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of an answer."""
    if (match := _GROUP.fullmatch(url.path)) and method == "GET":
        return _kinds(StoredApi(home, f"https://{host}", cache), **match.groupdict())
    ref = _ref(url.path)
    if ref is None:
        return _failure(404, f"the local cloud does not serve {url.path}")
    name, kind = ref.name, ref.kind
    api = StoredApi(home, f"https://{host}", cache)
    try:
        live = api.get(ref)
        if method == "GET":
            if live is None:
                return _failure(404, f'{ref.plural} "{name}" not found')
            return 200, {**live, "metadata": {**live["metadata"], "resourceVersion": "1"}}
        if method != "PATCH" or kind != KIND:
            return _failure(405, f"the local cloud does not take {method} {url.path}")
        patch = json.loads(body)
        if "spec" in patch:
            reason = _problem(patch, name)
            if reason:
                return _failure(422, f'{ref.plural} "{name}" is invalid: {reason}')
            live = {**patch, "status": _SERVED}
        elif live is None:
            return _failure(404, f'{ref.plural} "{name}" not found')
        else:
            changed = {k: v for k, v in patch["metadata"].items() if k not in _OF_THE_SERVER}
            live = {**live, "metadata": {**live["metadata"], **changed}}
        if url.query.get("dryRun") != "All":
            operation = "create" if api.get(ref) is None else "update"
            type_ = f"kubernetes:{ref.api_version}:{kind}"
            with recorded(home, "kubernetes", operation, type_, name) as entry:
                entry["id"] = name
                live = api.create(ref, live, upsert=True)
    except ProviderError as error:
        return _failure(503, str(error))
    return 200, live


def _kinds(api: StoredApi, group: str, version: str) -> tuple[int, dict[str, Any]]:
    """The kinds of a group, as a client discovers them."""
    try:
        kinds = sorted(api.kinds(group, version))
    except ProviderError as error:
        return _failure(503, str(error))
    if not kinds:
        return _failure(404, "the server could not find the requested resource")
    return 200, {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}",
        "resources": [{"kind": kind} for kind in kinds],
    }


def _ref(path: str) -> ObjectRef | None:
    for pattern, api_version, kind in _PATHS:
        if match := re.fullmatch(pattern, path):
            found = match.groupdict()
            return ObjectRef(api_version, kind, found.get("namespace"), found["name"])
    return None


def _problem(definition: dict[str, Any], name: str) -> str | None:
    spec = definition.get("spec") or {}
    names = spec.get("names") or {}
    if name != f"{names.get('plural')}.{spec.get('group')}":
        return f'metadata.name: must be spec.names.plural+"."+spec.group, not {name!r}'
    if not any(version.get("storage") for version in spec.get("versions") or ()):
        return "spec.versions: must have exactly one version marked as storage version"
    return None


def _failure(code: int, message: str) -> tuple[int, dict[str, Any]]:
    return code, {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "code": code,
    }
