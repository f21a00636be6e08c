"""A record in the state of what a resource is, whose hook says what becoming another one does.

The resource's own hooks would not do: those of one that is replaced or deleted are not told what
was there before, or are not called. A record is registered before its resource, so that a stop
comes first: what Pulumi itself says of a protected resource names neither the setting nor a way out
that lasts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.preview_messages import say
from models.problems import Problem
from rollouts import Sentence

Fields = Mapping[str, Any]


def explained_record(
    name: str,
    fields: Fields,
    owner: pulumi.Resource,
    explain: Callable[[Fields, Fields], Sentence | None],
    stop: Callable[[Fields, Fields], Problem | None] = lambda old, new: None,  # noqa: ARG005
) -> pulumi.Stash:
    """The record of `fields`.

    owner: the component to which the resource belongs.
    explain: what a change does, from the fields before and after; stop: what stops it.
    """
    hook = pulumi.ResourceHook(
        f"{name}-explain",
        _Explaining(owner, explain, stop),
        pulumi.ResourceHookOptions(on_dry_run=True),
    )
    return pulumi.Stash(
        name,
        input=fields,
        opts=pulumi.ResourceOptions(
            parent=owner, hooks=pulumi.ResourceHookBinding(before_update=[hook])
        ),
    )


@dataclass(frozen=True)
class _Explaining:
    """The hook of a record."""

    owner: pulumi.Resource
    explain: Callable[[Fields, Fields], Sentence | None]
    stop: Callable[[Fields, Fields], Problem | None]

    # Pulumi names a hook by this.
    __name__ = "explain"

    def __call__(self, args: pulumi.ResourceHookArgs) -> None:
        old, new = (recorded(inputs) for inputs in (args.old_inputs, args.new_inputs))
        if pulumi.runtime.is_dry_run() and (sentence := self.explain(old, new)):
            say((sentence,), self.owner)
        if problem := self.stop(old, new):
            raise pulumi.RunError(problem.sentence())


def recorded(inputs: object) -> Fields:
    """What a record holds by its inputs; empty for what is none."""
    stashed = inputs.get("input") if isinstance(inputs, Mapping) else None
    return stashed if isinstance(stashed, Mapping) else {}
