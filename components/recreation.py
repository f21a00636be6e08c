"""Strategy `recreate`: the Ray cluster that answers gives its GPUs to the one that starts.

KubeRay deletes the first cluster only after the second one answers. If the pools have no room for
both, the second one waits for ever. So the first one is deleted as soon as the head of the second
one runs: by then its image is there, and its spec is one that KubeRay takes. KubeRay goes on with
the second one and makes no other.

It is done whenever the smoke test is created. An update that is killed has none in its state yet,
so the next one does it again.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from components.live_ray_service import LiveRayService
from components.model_handover import HandoverError
from rollouts import is_as_wanted

HEAD_SECONDS: Final = 900
"""How long a head may take to start: a node, and an image of some 10 GB."""

_POLL_SECONDS: Final = 1.0
_SAY_SECONDS: Final = 30.0
_SEEN_SECONDS: Final = 30.0
"""By then KubeRay has looked at a changed RayService; it does so every two seconds."""


@dataclass(frozen=True, kw_only=True)
class Recreation:
    """What `recreate` does for one service.

    spec: that of the RayService as the engine has written it.
    kuberay: the release of the operator; None if it is not known.
    say: tells people how far it is.
    """

    service: LiveRayService
    spec: Mapping[str, Any]
    kuberay: str | None
    say: Callable[[str], None]

    def run(self) -> None:
        """Deletes the Ray cluster that answers if another one is to replace it.

        Raises HandoverError, RayServiceError or UnreachableError; then it goes on answering.
        """
        started = said = time.monotonic()
        while True:
            state = self.service.state()
            if state is None or not state.active:
                return
            answering = self.service.answering(state)
            if answering is None:
                return  # it is gone already
            waited = time.monotonic() - started
            if not state.pending:
                wanted = self.spec["rayClusterConfig"]
                if is_as_wanted(answering, wanted, self.kuberay) or waited > _SEEN_SECONDS:
                    return
            elif state.head_starts:
                self.say(
                    f"The Ray cluster {state.active} is deleted, so that {state.pending} gets its "
                    "GPUs. No model answers from now on until that one serves."
                )
                self.service.delete_answering(state)
                return
            elif waited > HEAD_SECONDS:
                raise HandoverError(
                    f"the head of the new Ray cluster {state.pending} does not run after "
                    f"{HEAD_SECONDS} s, so {state.active} was not deleted and goes on answering. "
                    "See why with `kubectl describe pod` (the image, or no room in app-pool), or "
                    "go back to the stack file of before; then run `pulumi up` again."
                )
            if time.monotonic() - said > _SAY_SECONDS:
                said = time.monotonic()
                self.say(f"The head of {state.pending or 'the new Ray cluster'} starts")
            time.sleep(_POLL_SECONDS)
