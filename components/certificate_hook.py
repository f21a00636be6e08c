"""What happens before the gateway's pods are written: is the Secret of their certificate there?

Without it no pod starts, and an `up` would find that out by waiting for them.
"""

import pulumi

from components.cluster_access import AccessOfProvider, ClusterAccess
from components.look_first import Judged, look_first
from rollouts import Absence, CertificateSecret, SeenSecret


def certificate_hook(
    name: str, secret: CertificateSecret, access: AccessOfProvider, owner: pulumi.Resource
) -> pulumi.ResourceHookBinding:
    """The hook of the pods that mount the Secret.

    access: the way to their cluster; owner: the component to which what is said belongs.
    """

    def look(known: ClusterAccess | None, creates: bool) -> Judged:
        return look_for_certificate(secret, known, creates=creates)

    return look_first(f"{name}-certificate", look, access, owner)


def look_for_certificate(
    secret: CertificateSecret, access: ClusterAccess | None, *, creates: bool
) -> Judged:
    """What stops a change of the pods, or is said of it; None if the Secret is there."""
    # A cluster that the same `up` creates has no namespace yet.
    found: SeenSecret | Absence = Absence.NAMESPACE
    if access is not None:
        # A run that changes no pod does without the client.
        from components.kubernetes_client import UnreachableError
        from components.live_certificate import RefusedError, certificate_in

        try:
            found = certificate_in(access, secret)
        except (RefusedError, UnreachableError) as error:
            return secret.not_seen(str(error))
    return secret.judged(found, preview=pulumi.runtime.is_dry_run(), creates=creates)
