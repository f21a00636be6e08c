"""When models sleep: what the windows of `ray-llm:offHours` mean, at any moment.

A window begins where its `sleep` is due and ends where its `wake` is due. A model sleeps while one
of its windows is open. So the state follows from the time alone: a run that was missed or that
comes twice changes nothing.

At a change to or from daylight saving time cronsim does as Debian's cron: what is due in the hour
that is skipped is due at its end, and what is due in the hour that comes twice is due once.

The pods of the schedule run this file as it is, beside cronsim's, so it imports nothing else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cronsim import CronSim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import tzinfo

# A nightly window is found in the last days, one of a holiday in the last years.
_LOOK_BACK = tuple(timedelta(days=days) for days in (3, 33, 400, 3300))


@dataclass(frozen=True)
class Window:
    """One window: cron texts of five fields, the zone of their times, and served names."""

    sleep: str
    wake: str
    zone: tzinfo
    models: frozenset[str]

    def ends_after(self, moment: datetime) -> datetime | None:
        """When the window that is open at `moment` ends; None if none is open."""
        began = last_due(self.sleep, self.zone, moment)
        if began is None:
            return None
        woke = last_due(self.wake, self.zone, moment)
        return (
            None if woke is not None and woke >= began else next_due(self.wake, self.zone, moment)
        )


@dataclass(frozen=True)
class Schedule:
    """What the RayService's annotation holds.

    minima: the least numbers of replicas by day, by the route of the application and the name of
        the deployment, of the models that the windows let sleep.
    """

    windows: tuple[Window, ...]
    minima: Mapping[str, Mapping[str, int]]

    @classmethod
    def of_text(cls, text: str, zone_of: Callable[[str], tzinfo]) -> Schedule:
        """Reads the annotation; raises ValueError, KeyError or TypeError if it is another text."""
        data: Mapping[str, Any] = json.loads(text)
        return cls(
            windows=tuple(
                Window(
                    sleep=item["sleep"],
                    wake=item["wake"],
                    zone=zone_of(item["timeZone"]),
                    models=frozenset(item["models"]),
                )
                for item in data["windows"]
            ),
            minima=data["minima"],
        )

    def asleep(self, moment: datetime) -> dict[str, datetime]:
        """The models that sleep at `moment`, and when each of them wakes."""
        return asleep(self.windows, moment)


def asleep(windows: Iterable[Window], moment: datetime) -> dict[str, datetime]:
    """The models that sleep at `moment`, and when each of them wakes, with the window's zone."""
    found: dict[str, datetime] = {}
    for window in windows:
        end = window.ends_after(moment)
        if end is not None:
            for model in window.models:
                known = found.get(model)
                later = known is None or known.timestamp() < end.timestamp()
                found[model] = end if later or known is None else known
    return found


def due(text: str, zone: tzinfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The moments after `start`, up to `end`, at which a cron text is due."""
    for moment in CronSim(text, start.astimezone(zone)):
        # Of two times in the same zone Python compares what clocks show.
        if moment.timestamp() > end.timestamp():
            return
        if moment.timestamp() > start.timestamp():
            yield moment


def last_due(text: str, zone: tzinfo, moment: datetime) -> datetime | None:
    """When a cron text was last due, `moment` included; None if not within nine years.

    Always counted forwards: cronsim counts backwards by what clocks show, which is wrong in an
    hour that comes twice.
    """
    for back in _LOOK_BACK:
        last = None
        for last in due(text, zone, moment - back, moment):  # noqa: B007 - the last one counts
            pass
        if last is not None:
            return last
    return None


def next_due(text: str, zone: tzinfo, moment: datetime) -> datetime | None:
    """When a cron text is next due after `moment`; None if that never is.

    It is counted from a day before, because `moment` may lie in an hour that comes twice.
    """
    for found in CronSim(text, (moment - timedelta(days=1)).astimezone(zone)):
        if found.timestamp() > moment.timestamp():
            return found
    return None
