"""What a preview says before a running RayService changes.

An edit of one line may stop a model for as long as its weights load, or start a second Ray cluster
with as many GPUs again: even an edit of no line, if a stack names no release and the default of
this program is another one. Nobody should learn that from the bill.
"""

from dataclasses import dataclass

import pulumi

from rollouts import Room, predict, sentences, shortages


def rollout_hook(
    name: str, *, kuberay: str | None, names_release: bool, room: Room
) -> pulumi.ResourceHookBinding:
    """The hook of the RayService `name` that says, at previews, what its change does.

    It compares what the state holds with what is to come, and so needs nothing that an earlier
    version of this program would have had to write.

    kuberay: the operator's release; None if it is not known.
    names_release: whether the stack says which Ray it wants.
    room: what there is for a second Ray cluster; a change that starts one without room is stopped.
    """
    hook = pulumi.ResourceHook(
        f"{name}-rollout",
        _Saying(kuberay=kuberay, names_release=names_release, room=room),
        pulumi.ResourceHookOptions(on_dry_run=True),
    )
    return pulumi.ResourceHookBinding(before_update=[hook])


@dataclass(frozen=True, kw_only=True)
class _Saying:
    """The hook."""

    kuberay: str | None
    names_release: bool
    room: Room

    # Pulumi names a hook by this.
    __name__ = "say_rollout"

    def __call__(self, args: pulumi.ResourceHookArgs) -> None:
        rollout = predict(args.old_inputs or {}, args.new_inputs or {}, self.kuberay)
        if pulumi.runtime.is_dry_run():
            for sentence in sentences(rollout, names_release=self.names_release):
                (pulumi.warn if sentence.warns else pulumi.info)(sentence.text)
        if rollout.causes and (found := shortages(rollout.running, self.room)):
            raise pulumi.RunError(" ".join(problem.sentence() for problem in found))
