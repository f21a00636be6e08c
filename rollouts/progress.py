"""What to say of a rollout while it goes on: a line for each change, and one when nothing changes.

Pure: what was seen and what was said before in, lines out.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

SAY_SECONDS: Final = 30.0
"""After so long without a change it is said what is waited for."""

_RUNNING: Final = "RUNNING"
_MESSAGE_LENGTH: Final = 200
# Ray Serve's messages count seconds and attempts.
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod of a Ray cluster. group: its worker group, which is its pool; or the head's group."""

    cluster: str
    group: str
    is_ready: bool
    awaits_node: bool


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """What Ray Serve says of a model's version, in its own words; without secrets.

    asleep: whether it is known to have no replica, although Ray Serve says that it runs.
    """

    status: str
    message: str = ""
    asleep: bool = False


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A service at one moment.

    active: the Ray cluster that answers; pending: the one that starts. Empty if there is none.
    models: by served name, in the cluster that the change is for.
    pods: None if they may not be listed.
    """

    active: str
    pending: str
    models: Mapping[str, ModelState]
    pods: tuple[Pod, ...] | None


@dataclass
class Progress:
    """Remembers what was said of one rollout."""

    _said: dict[str, str] = field(default_factory=dict)
    _before: Seen | None = None
    _leaving: str = ""
    _last: float = 0.0

    def lines(self, seen: Seen, seconds: float) -> tuple[str, ...]:
        """What is new; `seconds` since the beginning."""
        found = tuple(self._lines(seen))
        if not found and seconds - self._last >= SAY_SECONDS:
            found = tuple(f"{line} ({seconds:.0f} s)" for line in _awaited(seen))
        if found:
            self._last = seconds
        self._before = seen
        return found

    def _lines(self, seen: Seen) -> Iterator[str]:
        before = self._before
        if before and before.pending and before.pending == seen.active:
            self._leaving = before.active
            leaves = f" KubeRay removes {before.active} in a minute." if before.active else ""
            yield f"Ray cluster {seen.active} answers now.{leaves}"
        if seen.pending and (before is None or before.pending != seen.pending):
            beside = f" beside {seen.active}" if seen.active else ""
            yield f"Ray cluster {seen.pending} starts{beside}."
        if self._leaving and seen.pods is not None and not _of(seen.pods, self._leaving):
            yield f"Ray cluster {self._leaving} is gone."
            self._leaving = ""
        if seen.pods is None:
            yield from self._new(
                "pods", "You may not list pods, so it is not said for which nodes a model waits."
            )
        elif seen.pending:
            yield from self._new(seen.pending, _pods(seen.pending, seen.pods))
        for name, state in seen.models.items():
            yield from self._new(f"model {name}", _model(name, state))

    def _new(self, subject: str, text: str) -> Iterator[str]:
        """The text, if it was not the last one of its subject; a changed number is no news."""
        is_counted = subject.startswith("model ")
        key = _NUMBER.sub("#", text) if is_counted else text
        if text and self._said.get(subject) != key:
            self._said[subject] = key
            yield text


def _awaited(seen: Seen) -> Iterator[str]:
    """What is not as it is to be: first the pods, then the models."""
    if seen.pending and seen.pods and (text := _pods(seen.pending, seen.pods)):
        yield text
    waiting = [name for name, state in seen.models.items() if state.status != _RUNNING]
    if waiting:
        yield f"Not running yet: {', '.join(waiting)}"
    elif seen.pending:
        yield f"Ray cluster {seen.pending} does not answer yet"


def _of(pods: tuple[Pod, ...], cluster: str) -> list[Pod]:
    return [pod for pod in pods if pod.cluster == cluster]


def _pods(cluster: str, pods: tuple[Pod, ...]) -> str:
    own = _of(pods, cluster)
    if not own:
        return ""
    ready = sum(pod.is_ready for pod in own)
    awaiting = Counter(pod.group for pod in own if pod.awaits_node)
    nodes = ", ".join(f"{count} of {group}" for group, count in sorted(awaiting.items()))
    waits = f"; no node has room yet for {nodes}" if nodes else ""
    return f"Ray cluster {cluster}: {ready} of {len(own)} pods are ready{waits}"


def _model(name: str, state: ModelState) -> str:
    if state.status == _RUNNING:
        return f"{name}: {'has no replica, and loads on request' if state.asleep else 'runs'}"
    message = " ".join(state.message.split())
    if len(message) > _MESSAGE_LENGTH:
        message = f"{message[: _MESSAGE_LENGTH - 3]}..."
    status = state.status.lower().replace("_", " ")
    return f"{name}: {status}{f', {message}' if message else ''}"
