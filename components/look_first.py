"""A hook that looks at the cluster before an object is written, and says or stops what it finds.

An `up` would find the same out by waiting, after much else is done.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pulumi

from components.cluster_access import AccessOfProvider, ClusterAccess
from components.preview_messages import say, stop_or_say
from models.problems import Problem
from rollouts import Sentence

Judged: TypeAlias = Problem | Sentence | None
Look: TypeAlias = Callable[[ClusterAccess | None, bool], Judged]
"""What is found with the way to the cluster, None before there is one; whether it is created."""


def look_first(
    name: str, look: Look, access: AccessOfProvider, owner: pulumi.Resource
) -> pulumi.ResourceHookBinding:
    """The hook of one object, by which `look` is called at previews too.

    access: the way to the object's cluster; owner: the component to which what is said belongs.
    """
    hook = pulumi.ResourceHook(
        name,
        Looking(look=look, access=access, owner=owner),
        pulumi.ResourceHookOptions(on_dry_run=True),
    )
    return pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])


@dataclass(frozen=True, kw_only=True)
class Looking:
    """The hook; called by Pulumi, before a resource is created or updated."""

    look: Look
    access: AccessOfProvider
    owner: pulumi.Resource

    # Pulumi names a hook by this.
    __name__ = "look_first"

    async def __call__(self, args: pulumi.ResourceHookArgs) -> None:
        """Looks, and says what it found; raises RunError if that stops the change."""
        access, creates = await self.access.known(), not args.old_inputs
        said = await asyncio.to_thread(lambda: self.look(access, creates))
        if isinstance(said, Problem):
            stop_or_say((said,), self.owner)
        elif said is not None:
            say((said,), self.owner)
