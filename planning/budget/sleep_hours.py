"""How long windows are open: counted over four years, so that no figure depends on today's date.

Four years hold each day of the week in each month, a leap day and all changes to and from daylight
saving time that a window may meet.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from models.off_hours import zone
from models.schedule import due
from planning.plan_costs import HOURS_PER_WEEK

_BEFORE: Final = datetime(2024, 1, 1, tzinfo=UTC)
_START: Final = datetime(2025, 1, 1, tzinfo=UTC)
_END: Final = datetime(2029, 1, 1, tzinfo=UTC)
_AFTER: Final = datetime(2030, 1, 1, tzinfo=UTC)
_ALL_SECONDS: Final = int((_END - _START).total_seconds())


class Times(NamedTuple):
    """When a window begins and ends: two cron texts and the name of their zone."""

    sleep: str
    wake: str
    time_zone: str


class Nap(NamedTuple):
    """From when to when a window is open, in seconds since 1970."""

    start: int
    end: int


class Sleeper(NamedTuple):
    """A model's windows, and the seconds for which its nodes stay after each of them began."""

    windows: tuple[Times, ...]
    delay_seconds: int


@lru_cache(maxsize=256)
def naps(times: Times) -> tuple[Nap, ...]:
    """When the window is open in the four years, the year before and the year after."""
    moments = [(moment, True) for moment in _due(times.sleep, times.time_zone)]
    moments += [(moment, False) for moment in _due(times.wake, times.time_zone)]
    found: list[Nap] = []
    began: int | None = None
    for moment, sleeps in sorted(moments):
        if sleeps and began is None:
            began = moment
        elif not sleeps and began is not None:
            found.append(Nap(began, moment))
            began = None
    if began is not None:
        found.append(Nap(began, int(_AFTER.timestamp())))
    return tuple(found)


@lru_cache(maxsize=256)
def same_minutes(times: Times) -> int | None:
    """The first moment at which both ends of a window are due; None if there is none."""
    both = set(_due(times.sleep, times.time_zone)) & set(_due(times.wake, times.time_zone))
    return min(both, default=None)


@lru_cache(maxsize=256)
def _due(text: str, time_zone: str) -> tuple[int, ...]:
    return tuple(int(moment.timestamp()) for moment in due(text, zone(time_zone), _BEFORE, _AFTER))


def first_overlap(one: Times, other: Times) -> int | None:
    """The first moment at which both are open, or one ends as the other begins; None without."""
    mine, its = naps(one), naps(other)
    first = second = 0
    while first < len(mine) and second < len(its):
        start = max(mine[first].start, its[second].start)
        if start <= min(mine[first].end, its[second].end):
            return start
        if mine[first].end < its[second].end:
            first += 1
        else:
            second += 1
    return None


def shortest_nap(times: Times) -> int | None:
    """The seconds for which the window is open at least; None if it never opens."""
    ended = (nap for nap in naps(times) if nap.end < _AFTER.timestamp())
    return min((nap.end - nap.start for nap in ended), default=None)


def shortest_day(windows: Sequence[Times]) -> int | None:
    """The least seconds between the end of a window and the next beginning; None without one."""
    found = sorted(nap for times in windows for nap in naps(times))
    gaps = (second.start - first.end for first, second in pairwise(found))
    return min(gaps, default=None)


@lru_cache(maxsize=256)
def asleep_shares(sleepers: tuple[Sleeper, ...]) -> tuple[tuple[Decimal, frozenset[Sleeper]], ...]:
    """Each set of sleepers whose nodes are gone at the same time, with its share of all time."""
    start, end = int(_START.timestamp()), int(_END.timestamp())
    open_windows: Counter[Sleeper] = Counter()
    seconds: Counter[frozenset[Sleeper]] = Counter()
    edges = [(start, 0, Sleeper((), 0)), (end, 0, Sleeper((), 0))]
    for sleeper in sleepers:
        for times in sleeper.windows:
            for nap in naps(times):
                gone = nap.start + sleeper.delay_seconds
                if gone < nap.end:
                    edges += [(gone, 1, sleeper), (nap.end, -1, sleeper)]
    since = min(edge[0] for edge in edges)
    for moment, step, sleeper in sorted(edges):
        if start <= since < moment <= end:
            seconds[frozenset(+open_windows)] += moment - since
        since = moment
        if step:
            open_windows[sleeper] += step
    return tuple((Decimal(count) / _ALL_SECONDS, found) for found, count in seconds.items())


def hours_a_week(windows: Sequence[Times]) -> Decimal:
    """How many hours of a week a model with these windows sleeps, on the average."""
    sleeper = Sleeper(tuple(windows), 0)
    shares = asleep_shares((sleeper,))
    return sum((share for share, found in shares if found), Decimal(0)) * HOURS_PER_WEEK
