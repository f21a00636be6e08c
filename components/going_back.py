"""Ends what an update that did not end left in the cluster, before the next one begins.

rollouts/going_back.py says what there is to do. Models that are half replaced are put back by
components/model_handover.py.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from components.live_ray_service import LiveRayService, RayServiceError, State
from components.model_handover import Handover, HandoverError
from manifests import SMOKE_TEST_DEADLINE_SECONDS, RolloutManifest, serve_config_text
from rollouts import Left, WayBack, is_as_wanted, serve_config, way_back

_POLL_SECONDS: Final = 0.5
_SAY_SECONDS: Final = 30.0
_SEEN_SECONDS: Final = 60.0
_TRIES: Final = 20
_QUIET_SECONDS: Final = 5.0
"""KubeRay looks at a RayService every two seconds (ServiceDefaultRequeueDuration)."""


@dataclass(frozen=True, kw_only=True)
class GoingBack:
    """The way back of one service.

    ray_service: the object as the engine would write it.
    kuberay: the release of the operator; None if it is not known.
    say: tells people how far it is.
    warn: tells them what they would not expect.
    """

    service: LiveRayService
    handover: Handover
    ray_service: Mapping[str, Any]
    manifest: RolloutManifest
    kuberay: str | None
    say: Callable[[str], None]
    warn: Callable[[str], None]

    def run(self) -> None:
        """Gives up a second Ray cluster that is not needed, and puts models and object back.

        Raises HandoverError, RayServiceError or UnreachableError; what answers goes on answering.
        """
        state = self.service.state()
        if state is None:
            return
        todo = self._todo(state)
        if todo.gives_up:
            state = self._give_up(state, whole=todo.writes)
        if not todo.writes or state is None:
            return
        if self._is_as_wanted(state):
            if state.serve_config != self._serve_config:
                self.say("An interrupted update left models half replaced; they are put back.")
                self.handover.run(self._serve_config)
            self._write(lambda _: self.ray_service)
        else:
            self.say(
                "The last update ended in the cluster and not in the state: its Ray cluster "
                "answers by now. KubeRay starts another one for what the stack file says."
            )
            self._write(lambda _: self.ray_service)
            self._await_switch()

    def answers(self) -> Mapping[str, str] | None:
        """The serve config of the Ray cluster that answers; None if that is not as wanted.

        It is empty if Ray Serve cannot be asked.
        """
        state = self.service.state()
        if state is None or not self._is_as_wanted(state):
            return None
        serving = self.service.deployed()
        if serving is None:
            return {}
        # Ray Serve adds defaults of its own beside the applications.
        config = {**self._serve_config, "applications": serving["applications"]}
        return {"serveConfigV2": serve_config_text(config)}

    @property
    def _spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self.ray_service["spec"]
        return spec

    @property
    def _serve_config(self) -> Mapping[str, Any]:
        return serve_config(self._spec["serveConfigV2"])

    def _todo(self, state: State) -> WayBack:
        job = self.manifest.smoke_test
        return way_back(
            Left(
                spec=state.spec,
                job=state.smoke_test,
                answering=self.service.answering(state),
                starts_another=state.switches,
            ),
            self._spec,
            job,
            self.kuberay,
            was_deployed=state.smoke_test != job and self.service.was_deployed(job),
        )

    def _is_as_wanted(self, state: State) -> bool:
        return is_as_wanted(
            self.service.answering(state), self._spec["rayClusterConfig"], self.kuberay
        )

    def _give_up(self, state: State, *, whole: bool) -> State | None:
        """Writes the spec of the cluster that answers, and makes KubeRay forget the other one.

        whole: whether all of the RayService is as it was deployed before. Else its serve config
            stays what Ray Serve has, because an edited model has yet to start beside.
        """
        serving = self.service.deployed()
        if serving is None and not whole:
            return state  # KubeRay then starts one more cluster, and moves to it
        self.say(
            f"The second Ray cluster{f' ({state.pending})' if state.pending else ''} that an "
            "earlier update began is given up: the one that answers is what the stack file says."
        )
        self._write(lambda _: self._with_models(serving))
        answering, quiet = state.active, time.monotonic()
        for _ in range(10 * _TRIES):
            found = self.service.state()
            if found is None or found.active != answering:
                return found  # it has taken over meanwhile
            if found.switches:
                quiet = time.monotonic()
                try:
                    self.service.drop_pending(found)
                except RayServiceError as error:
                    self.warn(
                        f"KubeRay starts one more Ray cluster and moves to it, because {error}"
                    )
                    return found
            elif time.monotonic() - quiet > _QUIET_SECONDS:
                return found
            time.sleep(_POLL_SECONDS)
        raise HandoverError(
            "KubeRay starts a second Ray cluster again and again, although the first one is as "
            "wanted. Look at `kubectl describe rayservice`, and run `pulumi up` again."
        )

    def _with_models(self, serving: Mapping[str, Any] | None) -> Mapping[str, Any]:
        if serving is None:
            return self.ray_service
        # What it is by now was never deployed, and is no smoke test's.
        annotations = dict(self.ray_service["metadata"]["annotations"])
        annotations.pop(self.manifest.job_annotation, None)
        return {
            **self.ray_service,
            "metadata": {**self.ray_service["metadata"], "annotations": annotations},
            "spec": {**self._spec, "serveConfigV2": serve_config_text(serving)},
        }

    def _write(self, manifest: Callable[[State], Mapping[str, Any]]) -> None:
        for _ in range(_TRIES):
            state = self.service.state()
            if state is None:
                raise RayServiceError("the RayService was deleted meanwhile")
            if self.service.write(manifest(state), state):
                return
            time.sleep(_POLL_SECONDS)
        raise RayServiceError("somebody else changes the RayService all the time. Run again later.")

    def _await_switch(self) -> None:
        """Returns when the Ray cluster that answers is as wanted; raises HandoverError."""
        started = said = time.monotonic()
        seen = False
        while (now := time.monotonic()) - started < SMOKE_TEST_DEADLINE_SECONDS:
            state = self.service.state()
            if state is None or (not state.switches and self._is_as_wanted(state)):
                return
            seen = seen or state.switches
            if not seen and now - started > _SEEN_SECONDS:
                return  # KubeRay takes the cluster that answers for this one, and starts none
            if now - said > _SAY_SECONDS:
                said = now
                self.say(f"The Ray cluster {state.pending} starts ({now - started:.0f} s)")
            time.sleep(_POLL_SECONDS)
        raise HandoverError(
            f"KubeRay's new Ray cluster does not answer after {SMOKE_TEST_DEADLINE_SECONDS} s. The "
            "old one goes on answering. Look at `kubectl describe rayservice`."
        )
