"""What happens before a running RayService changes: it is said at previews, and prepared in `up`.

An edit of one line may stop a model for as long as its weights load, or start a second Ray cluster
with as many GPUs again: even an edit of no line, if a stack names no release and the default of
this program is another one. Nobody should learn that from the bill.

In `up`, edited models first start beside their old versions (components/model_handover.py); the
engine's own update then lets them take over. An update that is killed in between leaves nothing in
the state, so a record in the state says which service was begun last. If the way back changes that
record alone, its hook puts the models back.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from components.cluster_access import AccessOfProvider, ClusterAccess
from manifests import RolloutManifest
from rollouts import Kind, Rollout, Room, predict, sentences, serve_config, shortages

if TYPE_CHECKING:
    from components.model_handover import Handover


@dataclass(frozen=True, kw_only=True)
class RolloutHooks:
    """The hooks of one service.

    access: the way to its cluster.
    kuberay: the operator's release; None if it is not known.
    names_release: whether the stack says which Ray it wants.
    room: what there is for a second Ray cluster; a change that starts one without room is stopped.
    """

    access: AccessOfProvider
    manifest: RolloutManifest
    ray_service: Mapping[str, Any]
    kuberay: str | None
    names_release: bool
    room: Room

    def record(self, name: str, parent: pulumi.Resource) -> pulumi.Stash:
        """The record of the service that was begun last; the RayService comes after it."""
        hook = pulumi.ResourceHook(f"{name}-restore", _Restoring(self))
        return pulumi.Stash(
            f"{name}-rollout",
            input={"smokeTest": self.manifest.smoke_test},
            opts=pulumi.ResourceOptions(
                parent=parent, hooks=pulumi.ResourceHookBinding(before_update=[hook])
            ),
        )

    def of_ray_service(self, name: str) -> pulumi.ResourceHookBinding:
        """The hook of the RayService `name`.

        At a preview it compares what the state holds with what is to come, and so needs nothing
        that an earlier version of this program would have had to write.
        """
        hook = pulumi.ResourceHook(
            f"{name}-rollout", _RollingOut(self), pulumi.ResourceHookOptions(on_dry_run=True)
        )
        return pulumi.ResourceHookBinding(before_update=[hook])


@dataclass(frozen=True)
class _RollingOut:
    """The hook of the RayService."""

    hooks: RolloutHooks

    # Pulumi names a hook by this.
    __name__ = "roll_out"

    async def __call__(self, args: pulumi.ResourceHookArgs) -> None:
        new = args.new_inputs or {}
        rollout = predict(
            args.old_inputs or {}, new, self.hooks.kuberay, self.hooks.manifest.pool_gpus
        )
        if pulumi.runtime.is_dry_run():
            for sentence in sentences(rollout, names_release=self.hooks.names_release):
                (pulumi.warn if sentence.warns else pulumi.info)(sentence.text)
        if rollout.causes and (found := shortages(rollout.running, self.hooks.room)):
            raise pulumi.RunError(" ".join(problem.sentence() for problem in found))
        if pulumi.runtime.is_dry_run():
            return
        if _replaces_models(rollout) and (access := await self.hooks.access.known()):
            wanted = serve_config(new["spec"]["serveConfigV2"])
            await asyncio.to_thread(lambda: _handover(access, self.hooks.manifest).run(wanted))


@dataclass(frozen=True)
class _Restoring:
    """The hook of the record."""

    hooks: RolloutHooks

    __name__ = "restore"

    async def __call__(self, args: pulumi.ResourceHookArgs) -> None:  # noqa: ARG002 - Pulumi's
        if access := await self.hooks.access.known():
            manifest = self.hooks.manifest
            wanted = serve_config(self.hooks.ray_service["spec"]["serveConfigV2"])
            await asyncio.to_thread(
                lambda: _handover(access, manifest).restore(wanted, manifest.smoke_test)
            )


def _replaces_models(rollout: Rollout) -> bool:
    """Whether a model of the running Ray cluster gets another version."""
    known = rollout.if_known or rollout
    return known.kind not in {Kind.SECOND_CLUSTER, Kind.REPLACED, Kind.SUSPENDED} and any(
        model.beside for model in known.models
    )


def _handover(access: ClusterAccess, manifest: RolloutManifest) -> "Handover":
    # An update that replaces no model does without the client.
    from components.live_ray_service import LiveRayService
    from components.model_handover import Handover

    return Handover(
        service=LiveRayService(access, manifest),
        pool_gpus=manifest.pool_gpus,
        say=pulumi.info,
        warn=pulumi.warn,
    )
