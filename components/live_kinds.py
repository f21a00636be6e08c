"""Which kinds of objects a cluster knows of one API group.

Only the hook of components/collector_hook.py uses this module, and imports it when it asks.
"""

from collections.abc import Mapping
from typing import Final

import httpx2 as httpx

from components.cluster_access import ClusterAccess
from components.kubernetes_client import asked, http_client

_NOT_FOUND: Final = 404
# A preview is not held up by a control plane that cannot be reached from here.
_TIMEOUT_SECONDS: Final = 10


def kinds_in(access: ClusterAccess, api_version: str) -> frozenset[str]:
    """The kinds of a version of an API group, as `monitoring.coreos.com/v1`; empty without it.

    Everybody who is signed in may ask. Raises UnreachableError if the cluster does not answer at
    once, or refuses.
    """
    with http_client(access) as client:
        found: frozenset[str] = asked(
            f"the kinds of {api_version}",
            lambda: _kinds(client.get(f"/apis/{api_version}", timeout=_TIMEOUT_SECONDS)),
            lambda error: error,
            check="kubectl api-resources",
            undone="read",
            tries=1,
        )
    return found


def _kinds(answer: httpx.Response) -> frozenset[str]:
    """The kinds in an answer; raises ValueError or an error of httpx if it is none of Kubernetes.

    Of a group that it does not know, an API server says so in JSON or in plain text; a page is of
    something that stands before it.
    """
    is_page = "html" in answer.headers.get("Content-Type", "")
    if answer.status_code == _NOT_FOUND and not is_page:
        return frozenset()
    answer.raise_for_status()
    found = None if is_page else answer.json()
    listed = found.get("resources", "") if isinstance(found, Mapping) else ""
    if listed is not None and not isinstance(listed, list):
        raise ValueError("what answers is no API server of Kubernetes")
    return frozenset(str(item.get("kind")) for item in listed or () if isinstance(item, Mapping))
