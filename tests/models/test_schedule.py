"""When windows are open: by the clocks of their zones, on every day of the year."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.off_hours import zone
from models.schedule import Window, asleep, due, last_due, next_due

BERLIN, NEW_YORK = zone("Europe/Berlin"), zone("America/New_York")
UTC = timezone.utc  # noqa: UP017 - as the pods have it
# The hours that are skipped and that come twice, and some days around them.
CHANGES = {
    "Europe/Berlin": (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "America/New_York": (
        datetime(2026, 3, 8, 7, tzinfo=UTC),
        datetime(2026, 11, 1, 6, tzinfo=UTC),
    ),
}


def nightly(where: ZoneInfo = BERLIN, sleep: str = "0 20 * * 1-5") -> Window:
    return Window(sleep, "0 7 * * 1-5", where, frozenset({"a"}))


def at(text: str, where: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=where, fold=fold)


@pytest.mark.parametrize(
    ("moment", "sleeps"),
    [
        ("2026-11-30T19:59:59", False),
        ("2026-11-30T20:00", True),
        ("2026-12-01T06:59:59", True),
        ("2026-12-01T07:00", False),
        # From Friday night to Monday morning.
        ("2026-12-05T12:00", True),
        ("2026-12-06T23:00", True),
        ("2026-12-07T07:00", False),
    ],
)
def test_a_model_sleeps_from_sleep_to_wake(moment: str, sleeps: bool) -> None:
    assert ("a" in asleep([nightly()], at(moment))) is sleeps


def test_a_window_tells_when_it_ends() -> None:
    assert asleep([nightly()], at("2026-12-05T12:00")) == {"a": at("2026-12-07T07:00")}


def test_a_model_sleeps_while_any_of_its_windows_is_open() -> None:
    noon = Window("0 12 * * *", "0 13 * * *", BERLIN, frozenset({"a", "b"}))
    windows = [nightly(), noon]
    assert asleep(windows, at("2026-12-01T12:30")).keys() == {"a", "b"}
    assert asleep(windows, at("2026-12-01T22:00")).keys() == {"a"}


def test_what_is_due_in_the_hour_that_is_skipped_is_due_at_its_end() -> None:
    window = Window("30 2 * * *", "30 4 * * *", BERLIN, frozenset({"a"}))
    assert not asleep([window], datetime(2026, 3, 29, 0, 59, tzinfo=UTC))
    assert asleep([window], datetime(2026, 3, 29, 1, 0, tzinfo=UTC))
    waking = Window("0 20 * * *", "30 2 * * *", BERLIN, frozenset({"a"}))
    assert asleep([waking], datetime(2026, 3, 29, 0, 59, tzinfo=UTC))
    assert not asleep([waking], datetime(2026, 3, 29, 1, 0, tzinfo=UTC))


def test_what_is_due_in_the_hour_that_comes_twice_is_due_once() -> None:
    # 02:30 comes twice; the model stays asleep in the second hour, too.
    window = Window("30 2 * * *", "30 4 * * *", BERLIN, frozenset({"a"}))
    assert not asleep([window], at("2026-10-25T02:15"))
    assert asleep([window], at("2026-10-25T02:45"))
    assert asleep([window], at("2026-10-25T02:15", fold=1))
    assert asleep([window], at("2026-10-25T02:45", fold=1))


minutes, hours = st.integers(0, 59), st.integers(0, 23)
days = st.sampled_from(["*", "1-5", "0,6", "1", "mon-thu", "*/2"])
texts = st.builds(lambda minute, hour, day: f"{minute} {hour} * * {day}", minutes, hours, days)


@given(
    text=texts,
    where=st.sampled_from([*CHANGES]),
    change=st.sampled_from([0, 1]),
    offset=st.integers(-60 * 60, 60 * 60),
)
@example(text="30 2 * * *", where="Europe/Berlin", change=0, offset=1)
@example(text="30 1 * * *", where="America/New_York", change=1, offset=45)
@settings(max_examples=150, deadline=None)
def test_what_clocks_show_decides_near_every_change_of_the_clocks(
    text: str, where: str, change: int, offset: int
) -> None:
    """Against a count minute by minute of what the zone's clocks show."""
    moment = CHANGES[where][change] + timedelta(minutes=offset)
    last = last_due(text, zone(where), moment)
    assert last is not None
    assert last.timestamp() <= moment.timestamp()
    assert [*due(text, zone(where), last, moment)] == []
    following = next_due(text, zone(where), moment)
    assert following is not None
    assert following.timestamp() > moment.timestamp()
    assert last_due(text, zone(where), following) == following
    minute, hour, *_, day = text.split()
    shown = last.astimezone(UTC).astimezone(zone(where))
    exact = (shown.hour, shown.minute) == (int(hour), int(minute))
    # If the clocks never showed it, it was due when they went on.
    assert exact or shown.utcoffset() != (shown - timedelta(days=1)).utcoffset()
    if day == "*":
        # On the day of a change 25 hours may lie between two; a week has it seven times.
        assert moment - last.astimezone(UTC) <= timedelta(hours=25)
        week = [*due(text, zone(where), moment - timedelta(days=7), moment)]
        assert len(week) in (6, 7, 8)


@given(moment=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)))
@settings(max_examples=100, deadline=None)
def test_the_state_needs_no_memory_of_runs(moment: datetime) -> None:
    """Whoever looks at every step and whoever looks once see the same."""
    for where in (BERLIN, NEW_YORK):
        window = nightly(where, "0 2 * * *")
        state = "a" in asleep([window], moment - timedelta(days=2))
        events = [
            (item, True) for item in due(window.sleep, where, moment - timedelta(days=2), moment)
        ]
        events += [
            (item, False) for item in due(window.wake, where, moment - timedelta(days=2), moment)
        ]
        for _, sleeps in sorted(events, key=lambda item: item[0].timestamp()):
            state = sleeps
        assert ("a" in asleep([window], moment)) is state
