"""What happens before the gateway's pods are written: is the Secret of their certificate there?

Without it no pod starts, and an `up` would find that out by waiting for them.
"""

import asyncio
from dataclasses import dataclass

import pulumi

from components.cluster_access import AccessOfProvider, ClusterAccess
from components.preview_messages import say, stop_or_say
from models.problems import Problem
from rollouts import Absence, CertificateSecret, SeenSecret, Sentence


def certificate_hook(
    name: str, secret: CertificateSecret, access: AccessOfProvider, owner: pulumi.Resource
) -> pulumi.ResourceHookBinding:
    """The hook of the pods that mount the Secret.

    access: the way to their cluster; owner: the component to which what is said belongs.
    """
    hook = pulumi.ResourceHook(
        f"{name}-certificate",
        _Looking(secret=secret, access=access, owner=owner),
        pulumi.ResourceHookOptions(on_dry_run=True),
    )
    return pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])


@dataclass(frozen=True, kw_only=True)
class _Looking:
    """The hook."""

    secret: CertificateSecret
    access: AccessOfProvider
    owner: pulumi.Resource

    # Pulumi names a hook by this.
    __name__ = "look_for_certificate"

    async def __call__(self, args: pulumi.ResourceHookArgs) -> None:
        access, creates = await self.access.known(), not args.old_inputs
        said = await asyncio.to_thread(lambda: self._said(access, creates=creates))
        if isinstance(said, Problem):
            stop_or_say((said,), self.owner)
        elif said is not None:
            say((said,), self.owner)

    def _said(self, access: ClusterAccess | None, *, creates: bool) -> Problem | Sentence | None:
        # A cluster that the same `up` creates has no namespace yet.
        found: SeenSecret | Absence = Absence.NAMESPACE
        if access is not None:
            # A run that changes no pod does without the client.
            from components.kubernetes_client import UnreachableError
            from components.live_certificate import RefusedError, certificate_in

            try:
                found = certificate_in(access, self.secret)
            except (RefusedError, UnreachableError) as error:
                return self.secret.not_seen(str(error))
        return self.secret.judged(found, preview=pulumi.runtime.is_dry_run(), creates=creates)
