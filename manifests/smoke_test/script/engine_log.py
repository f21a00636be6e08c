"""Why an engine did not start, if Ray Serve's message does not say it.

vLLM's core runs in a process of its own. If that fails, the replica only reports that it did; the
cause stands in the log of the replica's Ray worker, to which both write. Ray's dashboard serves
the log while the replica's node exists.
"""

from __future__ import annotations

import re
import urllib.parse
from typing import TYPE_CHECKING

from .http_json import one_line, send
from .serve_api import last_exception

if TYPE_CHECKING:
    from .settings import Settings

# vLLM's own words for a failure that another process has described (v1/engine/utils.py).
CAUSE_ELSEWHERE = "See root cause above"
# Ray's description of the replica in the first line of a traceback.
_REPLICA = re.compile(r"\(pid=(?P<pid>\d+), ip=(?P<ip>[\w.:]+), actor_id=(?P<actor>[0-9a-f]+)")
# `(EngineCore pid=7) ERROR 11-28 14:42:11 [core.py:1350] `, in colour or not.
_PREFIX = re.compile(
    r"^(?:\x1b\[[\d;]*m)*(?:\(\w[^)]* pid=\d+\)(?:\x1b\[[\d;]*m)* ?)?"
    r"(?:[A-Z]+ \d\d-\d\d [\d:.]+ \[[^\]]+\] ?)?"
)
LOG_LINES = 2000


class EngineLogs:
    """The logs of engines that did not start. A replica's log is read once while models start."""

    def __init__(self) -> None:
        self._causes: dict[str, str | None] = {}  # by the replica's actor

    def hidden_cause(
        self, message: str, serve_api: str, settings: Settings, *, final: bool
    ) -> str | None:
        """The cause that stands only in a log, or how to read it; None if the message has it.

        message: of Ray Serve, about a deployment.
        serve_api: the address of the dashboard of its Ray cluster.
        final: whether the failure is settled, so that a log which said nothing is read again.
        """
        if CAUSE_ELSEWHERE not in message:
            return None
        named = list(_REPLICA.finditer(message))
        if not named:
            return None
        replica = named[-1]  # the process that failed
        actor = replica["actor"]
        if actor not in self._causes or (final and self._causes[actor] is None):
            self._causes[actor] = _logged_cause(actor, serve_api)
        if cause := self._causes[actor]:
            return cause
        files = f"/tmp/ray/session_latest/logs/worker-*-{replica['pid']}.*"  # noqa: S108 - in Ray's pods
        return (
            f"the engine did not start; its process {replica['pid']} in the pod with the address "
            f"{replica['ip']} has written why: kubectl exec --namespace {settings.namespace} POD "
            f"-- sh -c 'tail -n 100 {files}'"
        )


def _logged_cause(actor: str, serve_api: str) -> str | None:
    """The cause in a replica's log; None if the log cannot be read or does not say it."""
    for suffix in ("err", "out"):
        query = {"actor_id": actor, "suffix": suffix, "lines": LOG_LINES}
        url = f"{serve_api}/api/v0/logs/file?{urllib.parse.urlencode(query)}"
        try:
            log = send("GET", url).decode("utf-8", "replace")
        except (OSError, ValueError):
            continue
        if cause := root_cause(log):
            return one_line(cause)
    return None


def root_cause(log: str) -> str | None:
    """The last exception in a worker's log that does not point to another one."""
    lines = [_PREFIX.sub("", line) for line in log.splitlines()]
    return last_exception(lines, but=CAUSE_ELSEWHERE)
