"""Log lines of several sources, dated and in one order.

Kubernetes writes the time before each line. Ray Serve and vLLM write the time of the pod's zone,
vLLM without a year. Ray's images have the zone of Los Angeles, other images mostly UTC.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from models.problems import without_secrets

_COLOUR: Final = re.compile(r"\x1b\[[\d;]*m")
_KUBERNETES: Final = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) ?(.*)$", re.DOTALL)
_LOCAL: Final = re.compile(
    r"(?:(?P<year>\d{4})-)?(?P<month>\d\d)-(?P<day>\d\d)[ T]"
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<part>\d{1,6}))?"
)
# A date stands among the first words of a line, or it is no line's own.
_WITHIN: Final = 60
_RAY_ZONE: Final = "America/Los_Angeles"
_QUARTER: Final = 900.0
_AHEAD: Final = timedelta(minutes=5)
_ERROR: Final = re.compile(
    r"\b(ERROR|CRITICAL|FATAL|Traceback|Warning|[\w.]*(Error|Exception))\b|OOMKilled|BackOff"
)


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line.

    source: `replica`, `engine`, `serve`, `pod` or `event`; of: the replica, process, model or pod.
    """

    at: datetime
    source: str
    of: str
    text: str
    is_error: bool = False


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log as it was read. started: when its writer started; None if that is not known."""

    source: str
    of: str
    text: str
    started: datetime | None = None
    is_whole: bool = False


def dated(log: Log, now: datetime, zone: timedelta | None = None) -> Iterator[LogLine]:
    """The lines of a log. One without a time has that of the line before it.

    zone: what to add to local times for UTC; None to find it out.
    """
    lines = [_COLOUR.sub("", line) for line in log.text.splitlines()]
    if zone is None:
        zone = zone_of(log, now)
    at = log.started
    is_error = False
    for line in lines:
        if not line.strip():
            continue
        text = line
        if found := _KUBERNETES.match(line):
            at, text = datetime.fromisoformat(found[1]), found[2]
            is_error = bool(_ERROR.search(text))
        elif (local := _local(line, now)) is not None:
            at = (local + zone).replace(tzinfo=UTC)
            is_error = bool(_ERROR.search(text))
        else:
            # Of a traceback, every line belongs to the error.
            is_error = is_error or bool(_ERROR.search(text))
        if not text.strip():
            continue
        yield LogLine(
            at=at or now,
            source=log.source,
            of=log.of,
            text=without_secrets(text),
            is_error=is_error,
        )


def zone_of(log: Log, now: datetime) -> timedelta:
    """What to add to a log's local times for UTC.

    If the log is whole, its first line is of its writer's start. Else the zone of Ray's images is
    tried: in it, no line can be of the future.
    """
    times = [local for line in log.text.splitlines() if (local := _local(line, now)) is not None]
    if not times:
        return timedelta(0)
    if log.is_whole and log.started is not None:
        off = (log.started.astimezone(UTC).replace(tzinfo=None) - times[0]).total_seconds()
        return timedelta(seconds=round(off / _QUARTER) * _QUARTER)
    try:
        offset = now.astimezone(ZoneInfo(_RAY_ZONE)).utcoffset()
    except ZoneInfoNotFoundError:
        offset = None
    there = -(offset or timedelta(0))
    is_possible = max(times) + there <= now.astimezone(UTC).replace(tzinfo=None) + _AHEAD
    return there if is_possible else timedelta(0)


def _local(line: str, now: datetime) -> datetime | None:
    found = _LOCAL.search(line[:_WITHIN])
    if found is None:
        return None
    year = found["year"] or str(now.year)
    part = (found["part"] or "0").ljust(6, "0")
    day = f"{year}-{found['month']}-{found['day']}"
    try:
        at = datetime.fromisoformat(
            f"{day}T{found['hour']}:{found['minute']}:{found['second']}.{part}"
        )
        # A line of December that is read in January.
        if not found["year"] and at > now.replace(tzinfo=None) + timedelta(days=2):
            at = at.replace(year=at.year - 1)
    except ValueError:
        return None
    return at


def in_order(logs: Sequence[Sequence[LogLine]]) -> tuple[LogLine, ...]:
    """The lines of several logs by time; lines of one log keep their order."""
    merged: list[LogLine] = []
    for log in logs:
        latest: datetime | None = None
        for line in log:
            # Times are of several precisions: a line is never before the one above it.
            latest = line.at if latest is None or line.at > latest else latest
            merged.append(replace(line, at=latest))
    return tuple(sorted(merged, key=lambda line: line.at))
