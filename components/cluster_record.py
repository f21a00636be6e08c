"""A record of the cluster's identity in the state, whose hook says what another identity does.

It is registered before the cluster: what Pulumi itself says of a protected resource names neither
the setting nor a way out that lasts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.preview_messages import say
from rollouts import cluster_problem, cluster_sentence


def record_cluster(
    name: str, identity: Mapping[str, Any], owner: pulumi.Resource, *, protected: bool
) -> pulumi.Stash:
    """The record of a cluster.

    identity: what `cluster_sentence` compares.
    protected: whether the next change of it is stopped.
    """
    hook = pulumi.ResourceHook(
        f"{name}-replaced", _Replaced(owner), pulumi.ResourceHookOptions(on_dry_run=True)
    )
    return pulumi.Stash(
        name,
        input={"identity": identity, "protected": protected},
        opts=pulumi.ResourceOptions(
            parent=owner, hooks=pulumi.ResourceHookBinding(before_update=[hook])
        ),
    )


@dataclass(frozen=True)
class _Replaced:
    """The hook of the record."""

    owner: pulumi.Resource

    # Pulumi names a hook by this.
    __name__ = "replaced"

    def __call__(self, args: pulumi.ResourceHookArgs) -> None:
        before, after = (_stashed(inputs) for inputs in (args.old_inputs, args.new_inputs))
        old, new = before.get("identity"), after.get("identity")
        if not isinstance(old, Mapping) or not isinstance(new, Mapping):
            return
        if pulumi.runtime.is_dry_run() and (sentence := cluster_sentence(old, new)):
            say((sentence,), self.owner)
        # What counts is the protection that the state has: Pulumi's is the same.
        if before.get("protected") and (problem := cluster_problem(old, new)):
            raise pulumi.RunError(problem.sentence())


def _stashed(inputs: object) -> Mapping[str, Any]:
    stashed = inputs.get("input") if isinstance(inputs, Mapping) else None
    return stashed if isinstance(stashed, Mapping) else {}
