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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pulumi

from components.cluster_access import AccessOfProvider, ClusterAccess
from components.explained_record import recorded
from components.preview_messages import say, stop_or_say
from manifests import OFF_HOURS_EVERY_MINUTES, RolloutManifest, as_awake, schedule_of
from models.stack import RolloutStrategy, WithoutRoom
from rollouts import (
    NOTHING_CHANGES,
    ROOM_RULE,
    Change,
    Kind,
    Rollout,
    Room,
    Sentence,
    ServiceFields,
    as_live,
    change_problems,
    predict,
    sentences,
    serve_config,
    service_fields,
    service_problems,
    service_sentence,
    waking_sentence,
)

if TYPE_CHECKING:
    from components.going_back import GoingBack
    from components.model_handover import Handover
    from components.rollout_progress import Follower


@dataclass(frozen=True, kw_only=True)
class RolloutHooks:
    """The hooks of one service.

    owner: the component to which what is said at previews belongs.
    access: the way to its cluster.
    kuberay: the operator's release; None if it is not known.
    names_release: whether the stack says which Ray it wants.
    room: what there is for a second Ray cluster; a change that starts one without room is stopped.
    """

    owner: pulumi.Resource
    access: AccessOfProvider
    manifest: RolloutManifest
    ray_service: Mapping[str, Any]
    kuberay: str | None
    names_release: bool
    room: Room

    @property
    def recreates(self) -> bool:
        """Whether a Ray cluster is deleted before the one that replaces it answers."""
        return self.manifest.strategy is RolloutStrategy.RECREATE

    @property
    def fields(self) -> ServiceFields:
        """What is remembered of the service."""
        return service_fields(
            self.manifest.namespace,
            self.manifest.name,
            self.room,
            smoke_test=self.manifest.smoke_test,
        )

    def predict(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Rollout:
        """What a change of the RayService does."""
        manifest = self.manifest
        return predict(old, new, self.kuberay, manifest.pool_gpus, manifest.quotas)

    def record(self, name: str, parent: pulumi.Resource) -> pulumi.Stash:
        """The record of the service that was begun last; the RayService comes after it."""
        renamed = pulumi.ResourceHook(
            f"{name}-renamed", _Renamed(self), pulumi.ResourceHookOptions(on_dry_run=True)
        )
        restore = pulumi.ResourceHook(f"{name}-restore", _Restoring(self))
        return pulumi.Stash(
            f"{name}-rollout",
            input=self.fields,
            opts=pulumi.ResourceOptions(
                parent=parent, hooks=pulumi.ResourceHookBinding(before_update=[renamed, restore])
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

    def of_smoke_test(self, name: str) -> pulumi.ResourceHookBinding:
        """The hooks of the smoke test `name`: while it waits, people hear how far the rollout is.

        The engine creates it anew for every change, and again if an update was killed.
        """
        following = _Following(self)
        before = pulumi.ResourceHook(f"{name}-follow", following)
        after = pulumi.ResourceHook(f"{name}-followed", _Followed(following))
        return pulumi.ResourceHookBinding(before_create=[before], after_create=[after])


@dataclass(frozen=True)
class _RollingOut:
    """The hook of the RayService."""

    hooks: RolloutHooks

    # Pulumi names a hook by this.
    __name__ = "roll_out"

    async def __call__(self, args: pulumi.ResourceHookArgs) -> None:
        new = args.new_inputs or {}
        # After `--refresh`, both are what the cluster has.
        live = as_live(args.old_inputs or {}, args.old_outputs or args.old_inputs or {})
        old = as_awake(live)
        rollout = self.hooks.predict(old, new)
        if rollout.causes:
            rollout = await self._as_it_answers(rollout, new)
        if pulumi.runtime.is_dry_run():
            found_out = sentences(
                rollout,
                names_release=self.hooks.names_release,
                expected=self.hooks.manifest.expected,
            )
            said = (*(found_out or (NOTHING_CHANGES,)), *self._wakes(live, new))
            say(said, self.hooks.owner)
        holds = self._judge(old, new, rollout)
        if pulumi.runtime.is_dry_run():
            return
        access = await self.hooks.access.known()
        if access:
            await asyncio.to_thread(lambda: _stop_if_changed(access, self.hooks, old, new))
        if _replaces_models(rollout) and access:
            wanted = serve_config(new["spec"]["serveConfigV2"])
            manifest = self.hooks.manifest
            if holds:
                manifest = replace(manifest, without_room=WithoutRoom.HOLD)
            await asyncio.to_thread(lambda: _handover(access, manifest).run(wanted))

    def _wakes(self, live: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Sentence]:
        """What sleeps now: the update writes the minima of the day."""
        now = datetime.now(UTC)
        before, after = (
            {} if schedule is None else schedule.asleep(now)
            for schedule in map(schedule_of, (live, new))
        )
        for_good = {name: until for name, until in before.items() if name not in after}
        expected = self.hooks.manifest.expected
        for asleep, every in ((after, OFF_HOURS_EVERY_MINUTES), (for_good, None)):
            if sentence := waking_sentence(asleep, new, expected, every):
                yield sentence

    def _judge(self, old: Mapping[str, Any], new: Mapping[str, Any], rollout: Rollout) -> bool:
        """Whether requests may be held although a setting says no; raises RunError for stops."""
        manifest = self.hooks.manifest
        change = Change(old=old, new=new, rollout=rollout, room=self.hooks.room)
        problems = change_problems(change, manifest.policy)
        stop_or_say(problems, self.hooks.owner)
        return any(problem.rule == ROOM_RULE for problem in problems)

    async def _as_it_answers(self, rollout: Rollout, new: Mapping[str, Any]) -> Rollout:
        """The rollout from what answers, if that is not what the state has.

        The state has what was sent last. If the second Ray cluster of that never took over, the way
        back to the first one starts none.
        """
        access = await self.hooks.access.known()
        answers = None
        if access:
            answers = await asyncio.to_thread(lambda: _answers(access, self.hooks))
        if answers is None:
            return rollout
        if pulumi.runtime.is_dry_run():
            pulumi.info(
                "The Ray cluster that answers is what the stack file says. The second one, which "
                "an earlier update began, is given up, and no model of the first one restarts for "
                "that."
            )
        spec = {**new["spec"], **answers}
        return self.hooks.predict({**new, "spec": spec}, new)


@dataclass(frozen=True)
class _Renamed:
    """The hook of the record that knows the service under another name.

    The hook of the RayService is not called for one that is replaced.
    """

    hooks: RolloutHooks

    __name__ = "renamed"

    def __call__(self, args: pulumi.ResourceHookArgs) -> None:
        old = recorded(args.old_inputs)
        hooks = self.hooks
        fields = hooks.fields
        if pulumi.runtime.is_dry_run() and (sentence := service_sentence(old, fields)):
            say((sentence,), hooks.owner)
        problems = service_problems(old, fields, hooks.room, hooks.manifest.policy)
        stop_or_say(problems, hooks.owner)


@dataclass(frozen=True)
class _Restoring:
    """The hook of the record."""

    hooks: RolloutHooks

    __name__ = "restore"

    async def __call__(self, args: pulumi.ResourceHookArgs) -> None:  # noqa: ARG002 - Pulumi's
        if access := await self.hooks.access.known():
            await asyncio.to_thread(lambda: _going_back(access, self.hooks).run())


@dataclass(frozen=True)
class _Following:
    """The hook before the smoke test."""

    hooks: RolloutHooks
    followers: "list[Follower]" = field(default_factory=list)

    __name__ = "follow"

    async def __call__(self, args: pulumi.ResourceHookArgs) -> None:  # noqa: ARG002 - Pulumi's
        if (access := await self.hooks.access.known()) is None:
            return
        from components.live_ray_service import LiveRayService
        from components.recreation import Recreation
        from components.rollout_progress import Follower

        hooks = self.hooks
        if hooks.recreates:
            recreation = Recreation(
                service=await asyncio.to_thread(lambda: LiveRayService(access, hooks.manifest)),
                spec=hooks.ray_service["spec"],
                kuberay=hooks.kuberay,
                say=pulumi.info,
            )
            await asyncio.to_thread(recreation.run)
        follower = Follower(
            lambda: LiveRayService(access, hooks.manifest, patient=False), pulumi.info
        )
        self.followers.append(follower)
        follower.start()


@dataclass(frozen=True)
class _Followed:
    """The hook after the smoke test."""

    following: _Following

    __name__ = "followed"

    async def __call__(self, args: pulumi.ResourceHookArgs) -> None:  # noqa: ARG002 - Pulumi's
        # What is said on the way out needs the event loop.
        for follower in self.following.followers:
            await asyncio.to_thread(follower.stop)


def _replaces_models(rollout: Rollout) -> bool:
    """Whether a model of the running Ray cluster gets another version."""
    known = rollout.if_known or rollout
    return known.kind not in {Kind.SECOND_CLUSTER, Kind.REPLACED, Kind.SUSPENDED} and any(
        model.beside for model in known.models
    )


def _stop_if_changed(
    access: ClusterAccess, hooks: RolloutHooks, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    """Raises RunError if the live object is not what the preview judged."""
    from components.changed_by_others import ChangedByOthersError, stop_if_changed
    from components.live_ray_service import LiveRayService

    service = LiveRayService(access, hooks.manifest)
    try:
        stop_if_changed(service, hooks.manifest, old, new, hooks.kuberay)
    except ChangedByOthersError as error:
        raise pulumi.RunError(str(error)) from None


def _handover(access: ClusterAccess, manifest: RolloutManifest) -> "Handover":
    # Previews do without the client.
    from components.live_ray_service import LiveRayService
    from components.model_handover import Handover

    return Handover(
        service=LiveRayService(access, manifest),
        pool_gpus=manifest.pool_gpus,
        quotas=manifest.quotas,
        without_room=manifest.without_room,
        say=pulumi.info,
        warn=pulumi.warn,
    )


def _answers(access: ClusterAccess, hooks: RolloutHooks) -> Mapping[str, str] | None:
    """The serve config of the Ray cluster that answers; empty if Ray Serve cannot be asked.

    None if the cluster is not as wanted, or cannot be asked.
    """
    from components.kubernetes_client import UnreachableError
    from components.live_ray_service import RayServiceError

    try:
        return _going_back(access, hooks, patient=False).answers()
    except (RayServiceError, UnreachableError):
        return None


def _going_back(access: ClusterAccess, hooks: RolloutHooks, *, patient: bool = True) -> "GoingBack":
    from components.going_back import GoingBack
    from components.live_ray_service import LiveRayService

    return GoingBack(
        service=LiveRayService(access, hooks.manifest, patient=patient),
        handover=_handover(access, hooks.manifest),
        ray_service=hooks.ray_service,
        manifest=hooks.manifest,
        kuberay=hooks.kuberay,
        say=pulumi.info,
        warn=pulumi.warn,
    )
