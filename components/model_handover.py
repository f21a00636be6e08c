"""Carries out the hand-over of edited models in a cluster, before the engine's own update.

rollouts/handover.py says how a new version takes over; this module starts it beside the old one,
waits until it runs, and takes it away again if it does not. Whatever interrupts it, the old version
keeps its route until the new one has it.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from components.live_ray_service import LiveRayService, RayServiceError, State
from manifests import SMOKE_TEST_DEADLINE_SECONDS, engine_error
from models.problems import without_secrets
from models.stack import WithoutRoom
from rollouts import (
    GpuQuota,
    ServeConfig,
    Wave,
    handed_over,
    held_models,
    is_last,
    leftovers,
    next_wave,
    running_at_least,
    without,
)

GPU_WAIT_SECONDS: Final = 900
"""How long a new version waits for GPUs of its own before it waits for those of the old one."""

_WAYS_OUT: Final = (
    "Run `pulumi up` again later, raise the pool's maxNodes or the quota, or write withoutRoom: "
    "hold, which holds requests while the new version loads."
)
_POLL_SECONDS: Final = 2.0
_SAY_SECONDS: Final = 30.0
_GONE_SECONDS: Final = 300.0
_FAILED: Final = "DEPLOY_FAILED"
_RUNNING: Final = "RUNNING"
# Ray Serve's words for replicas that no node has room for (serve/_private/deployment_state.py).
_NO_ROOM: Final = "to be scheduled"


class HandoverError(Exception):
    """A new version that does not run, or a service that cannot be changed; without secrets."""

    def __init__(self, text: str) -> None:
        super().__init__(without_secrets(text))


@dataclass(frozen=True, kw_only=True)
class Handover:
    """The hand-over of one service.

    pool_gpus: the most GPUs that each pool can have; quotas: what limits several together.
    say: tells people how far it is.
    warn: tells them what they would not expect.
    without_room: what is done if no GPU is free for a second version.
    """

    service: LiveRayService
    pool_gpus: Mapping[str, int]
    say: Callable[[str], None]
    warn: Callable[[str], None]
    without_room: WithoutRoom = WithoutRoom.HOLD
    quotas: Sequence[GpuQuota] = ()

    def run(self, wanted: ServeConfig) -> None:
        """Starts what is edited beside the old versions, as far as one change then takes over.

        Afterwards the final serve config, which the engine writes, takes over without a wait.
        Raises HandoverError, RayServiceError or UnreachableError; then the old versions answer.
        """
        no_gpus: set[str] = set()
        taken_over: list[str] = []
        while True:
            state = self.service.state()
            if state is None or state.switches:
                return  # nothing runs yet, or another cluster is to take over
            if state.serve_config is None:
                self.warn(
                    "The RayService holds no serve config of this program's form, so its models "
                    "are replaced without starting the new ones first."
                )
                return
            live = self._without_failed(state, wanted)
            running = self._running(state, live)
            wave = next_wave(live, wanted, running, self.pool_gpus, frozenset(no_gpus), self.quotas)
            if wave is None:
                return
            if self.without_room is not WithoutRoom.HOLD and (
                held := held_models(live, wanted, self.pool_gpus, running, self.quotas)
            ):
                raise HandoverError(
                    f"{', '.join(held)}: the pool has no room for a second version beside the "
                    f"replicas that run now, and {self._setting}. {_left(taken_over)} {_WAYS_OUT}"
                )
            self._start(wave, live)
            if unplaced := self._wait(wave, live):
                if self.without_room is not WithoutRoom.HOLD:
                    self._submit(live)
                    names = ", ".join(sorted(wave.models[name] for name in unplaced))
                    raise HandoverError(
                        f"{names}: no node had room for a second version in "
                        f"{self._gpu_wait:.0f} s, and {self._setting}. {_left(taken_over)} "
                        f"{_WAYS_OUT}"
                    )
                no_gpus |= {wave.models[name] for name in unplaced}
                self._submit(without(wave.config, unplaced))
                self._await_gone(unplaced)
                self.warn(
                    f"{', '.join(sorted(wave.models[name] for name in unplaced))}: no node had "
                    f"room for a second version in {GPU_WAIT_SECONDS} s. The new one takes the "
                    "GPUs of the old one, and requests are held while it loads."
                )
            elif is_last(wave, wanted):
                return
            else:
                self._take_over(wave, wanted)
                taken_over += wave.models.values()

    @property
    def _setting(self) -> str:
        return f"ray-llm:rollout.withoutRoom is {self.without_room}"

    @property
    def _gpu_wait(self) -> float:
        return (
            SMOKE_TEST_DEADLINE_SECONDS
            if self.without_room is WithoutRoom.WAIT
            else GPU_WAIT_SECONDS
        )

    def _without_failed(self, state: State, wanted: ServeConfig) -> ServeConfig:
        """The live serve config without what earlier rollouts left beside and what failed there."""
        live = state.serve_config
        if live is None:
            raise AssertionError("the caller has looked")
        if gone := leftovers(live, wanted, _failed(state)):
            live = without(live, gone)
            self._submit(live)
            self._await_gone(gone)
        return live

    def _running(self, state: State, live: ServeConfig) -> Mapping[str, int]:
        counted = self.service.replicas()
        if counted is not None:
            return counted
        # Its own minimum is what surely runs of an application that runs.
        return {
            item["name"]: running_at_least(item)
            for item in live["applications"]
            if (state.statuses.get(item["name"]) or {}).get("status") == _RUNNING
        }

    def _start(self, wave: Wave, live: ServeConfig) -> None:
        for name, model in wave.models.items():
            count = wave.replicas[name]
            how = (
                f"starts beside the old one, {count} replica{'s' if count > 1 else ''}"
                if count
                else "waits for the GPUs of the old one, or for a request if that has none"
            )
            self.say(f"{model}: the new version ({name}) {how}")
        if wave.config != live:
            self._submit(wave.config)

    def _wait(self, wave: Wave, before: ServeConfig) -> Collection[str]:
        """Returns when the new versions run: those that found no node with room for them.

        before: the serve config to go back to if one does not start.
        """
        started = time.monotonic()
        said = started
        waiting = set(wave.models)
        while True:
            state = self.service.state()
            statuses = state.statuses if state else {}
            for name in sorted(waiting):
                status = (statuses.get(name) or {}).get("status")
                if status == _FAILED:
                    self._give_up(wave, before, name, statuses[name])
                if status == _RUNNING:
                    waiting.discard(name)
                    how = "runs" if wave.replicas[name] else "is there, and loads on request"
                    self.say(f"{wave.models[name]}: the new version {how}")
            if not waiting:
                return ()
            now = time.monotonic()
            unplaced = [name for name in waiting if _has_no_room(statuses.get(name) or {})]
            if now - started > self._gpu_wait and unplaced:
                return unplaced
            if now - started > SMOKE_TEST_DEADLINE_SECONDS:
                name = min(waiting)
                self._give_up(wave, before, name, statuses.get(name) or {})
            if now - said > _SAY_SECONDS:
                said = now
                for name in sorted(waiting):
                    what = "waits for a node with room" if name in unplaced else "loads"
                    self.say(f"{wave.models[name]}: the new version {what} ({now - started:.0f} s)")
            time.sleep(_POLL_SECONDS)

    def _give_up(
        self, wave: Wave, before: ServeConfig, name: str, status: Mapping[str, Any]
    ) -> None:
        """Takes the new versions away and raises HandoverError."""
        self._submit(without(before, wave.models))
        cause = engine_error(
            {
                "status": status.get("status") or "not seen",
                "message": status.get("message"),
                "deployments": status.get("serveDeploymentStatuses") or {},
            }
        )
        raise HandoverError(
            f"{wave.models[name]}: the new version does not start: {cause}. It was taken away "
            "again, and the old version goes on answering. Correct the model, or go back to the "
            "stack file of before; then run `pulumi up` again."
        )

    def _take_over(self, wave: Wave, wanted: ServeConfig) -> None:
        """Lets the versions of a wave answer, so that their old ones free the GPUs."""
        state = self.service.state()
        if state is None or state.serve_config is None:
            return
        before = {item["name"] for item in state.serve_config["applications"]}
        config = handed_over(state.serve_config, wanted, wave.models)
        self._submit(config)
        self._await_gone(before - {item["name"] for item in config["applications"]})

    def _await_gone(self, names: Collection[str]) -> None:
        """Returns when Ray Serve has removed applications, which end their requests first."""
        end = time.monotonic() + _GONE_SECONDS
        while time.monotonic() < end:
            state = self.service.state()
            if state is None or not set(names) & set(state.statuses):
                return
            time.sleep(_POLL_SECONDS)

    def _submit(self, serve_config: ServeConfig) -> None:
        for _ in range(5):
            state = self.service.state()
            if state is None:
                raise RayServiceError("the RayService was deleted meanwhile")
            if self.service.submit(serve_config, state):
                return
        raise RayServiceError(
            "somebody else changes the RayService all the time, so the new versions were not "
            "started. Find out who (`kubectl get rayservices -o yaml --show-managed-fields`)."
        )


def _left(taken_over: Sequence[str]) -> str:
    """What an update leaves that stops; taken_over: models that have their new versions."""
    if not taken_over:
        return "Nothing was changed, and the old version goes on answering."
    return (
        f"The old version goes on answering. {', '.join(sorted(taken_over))} took over before, and "
        f"{'stays' if len(taken_over) == 1 else 'stay'} as the stack file says now."
    )


def _failed(state: State) -> frozenset[str]:
    return frozenset(name for name, item in state.statuses.items() if item.get("status") == _FAILED)


def _has_no_room(status: Mapping[str, Any]) -> bool:
    deployments = status.get("serveDeploymentStatuses") or {}
    return any(_NO_ROOM in (item.get("message") or "") for item in deployments.values())
