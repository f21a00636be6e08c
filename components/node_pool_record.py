"""A record of node pools in the state, whose hook says at previews what an edit does to them.

A hook of the pools themselves would not do: one that runs before a creation is not told what was
there before, so it takes a replaced pool for a new one, and one that runs before a deletion stops
every `pulumi destroy` without `--run-program`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.explained_record import recorded
from components.preview_messages import say, stop_or_say
from rollouts import PoolFields, pool_problems, pool_sentences


def record_node_pools(
    name: str,
    pools: Mapping[str, PoolFields],
    owner: pulumi.Resource,
    after: Sequence[pulumi.Resource],
    *,
    ray_head: bool,
    protected: bool,
    allow: Collection[str] = (),
) -> pulumi.Stash:
    """The record of the pools of a component, as they are once all of `after` are so.

    ray_head: whether they host the Ray head instead of models.
    protected: whether a preview that would replace a pool is stopped.
    allow: the ids of changes that pass nevertheless.
    """
    hook = pulumi.ResourceHook(
        f"{name}-explain",
        _Explaining(owner=owner, ray_head=ray_head, protected=protected, allow=allow),
        pulumi.ResourceHookOptions(on_dry_run=True),
    )
    return pulumi.Stash(
        name,
        input={"pools": pools},
        opts=pulumi.ResourceOptions(
            parent=owner,
            depends_on=after,
            hooks=pulumi.ResourceHookBinding(before_update=[hook]),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Explaining:
    """The hook of the record."""

    owner: pulumi.Resource
    ray_head: bool
    protected: bool
    allow: Collection[str]

    # Pulumi names a hook by this.
    __name__ = "explain"

    def __call__(self, args: pulumi.ResourceHookArgs) -> None:
        # In `up` it would be too late: the record comes after the pools.
        if not pulumi.runtime.is_dry_run():
            return
        old, new = (_pools(inputs) for inputs in (args.old_inputs, args.new_inputs))
        say(pool_sentences(old, new, ray_head=self.ray_head), self.owner)
        problems = (
            pool_problems(old, new, self.allow, ray_head=self.ray_head) if self.protected else ()
        )
        stop_or_say(problems, self.owner)


def _pools(inputs: object) -> Mapping[str, PoolFields]:
    pools = recorded(inputs).get("pools")
    return pools if isinstance(pools, Mapping) else {}
