"""Which kinds of objects a cluster knows of one API group.

Only the hook of components/collector_hook.py uses this module, and imports it when it asks.
"""

from typing import Any, Final

from components.cluster_access import ClusterAccess
from components.kubernetes_client import asked, http_client

_NOT_FOUND: Final = 404


def kinds_in(access: ClusterAccess, api_version: str) -> frozenset[str]:
    """The kinds of a version of an API group, as `monitoring.coreos.com/v1`; empty without it.

    Everybody who is signed in may ask. Raises UnreachableError if the cluster does not answer at
    once, or refuses.
    """
    with http_client(access) as client:

        def ask() -> Any:
            answer = client.get(f"/apis/{api_version}")
            if answer.status_code == _NOT_FOUND:
                return {}
            answer.raise_for_status()
            return answer.json()

        found = asked(
            f"the kinds of {api_version}",
            ask,
            lambda error: error,
            check="kubectl api-resources",
            undone="read",
            tries=1,
        )
    return frozenset(resource["kind"] for resource in found.get("resources") or ())
