"""What happens before `Monitoring` writes its first object: does the cluster know its kind?

Without the definitions of what collects metrics an `up` fails at its end, once the models answer.
"""

import contextlib

import pulumi

from components.cluster_access import AccessOfProvider, ClusterAccess
from components.look_first import Judged, look_first
from rollouts import CollectorKinds


def collector_hook(
    name: str, kinds: CollectorKinds, access: AccessOfProvider, owner: pulumi.Resource
) -> pulumi.ResourceHookBinding:
    """The hook of an object of these kinds.

    access: the way to its cluster; owner: the component to which what is said belongs.
    """

    def look(known: ClusterAccess | None, creates: bool) -> Judged:  # noqa: ARG001 - as all looks
        return look_for_kinds(kinds, known)

    return look_first(f"{name}-kinds", look, access, owner)


def look_for_kinds(kinds: CollectorKinds, access: ClusterAccess | None) -> Judged:
    """What stops the objects, or is said of them; None if the cluster knows their kinds.

    Only a preview looks: an `up` has had its own, and the API server tells it in the end.
    """
    if not pulumi.runtime.is_dry_run():
        return None
    if access is None:
        return kinds.of_a_new_cluster()
    # A run that changes no such object does without the client.
    from components.kubernetes_client import UnreachableError
    from components.live_kinds import kinds_in

    try:
        known = {kinds.api_version: kinds_in(access, kinds.api_version)}
    except UnreachableError as error:
        return kinds.not_seen(str(error))
    if kinds.judged(known) is not None:
        # Only a way out depends on it.
        with contextlib.suppress(UnreachableError):
            known[kinds.instead] = kinds_in(access, kinds.instead)
    return kinds.judged(known)
