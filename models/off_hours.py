"""The values of `ray-llm:offHours`: when something is due, in which time zone, for which models.

A window begins and ends at one minute of an hour. A text for which cron programs disagree, because
it restricts both the day of the month and that of the week, is refused.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from models.invalid_value import InvalidValueError
from models.spelling import respelt

CRON_RULE: Final = "off-hours-cron"
ZONE_RULE: Final = "time-zone-unknown"
ALL_MODELS: Final = "all"

_EXAMPLE: Final = "0 20 * * 1-5"
_NAMES: Final = "minute, hour, day of the month, month and day of the week"
# What Kubernetes takes instead of five fields (https://pkg.go.dev/github.com/robfig/cron/v3).
_SHORTHANDS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ZONE_PREFIX: Final = re.compile(r"(?:CRON_)?TZ=(\S*)\s+(.*)")
_PART: Final = r"(\*|[0-9]+(-[0-9]+)?|[a-z]{3}(-[a-z]{3})?)(/[0-9]+)?"
_FIELD: Final = re.compile(rf"{_PART}(,{_PART})*", re.IGNORECASE)
_MINUTE: Final = re.compile(r"[0-9]{1,2}")
_HOUR: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})")
# Of two spellings of a city: Berln is Berlin, and Munich is not Zurich.
_LIKENESS: Final = 0.8
# Before the first moment that anybody asks for; leap years are near.
_BEGINNING: Final = datetime(2024, 1, 1, tzinfo=UTC)


def cron_text(text: str) -> str:
    """The five fields, with one blank between them.

    Raises InvalidValueError for what is no cron text, is never due, or may be read in two ways.
    """
    fields = text.split()
    if match := _ZONE_PREFIX.fullmatch(text.strip()):
        raise _error("names a time zone", "Write the zone as timeZone", match[2])
    if text.strip().startswith("@"):
        meant = _SHORTHANDS.get(text.strip().lower())
        raise _error("is not five fields", f"Write five fields: {_NAMES}", meant)
    if (clock := _HOUR.fullmatch(text.strip())) and int(clock[1]) < 24 and int(clock[2]) < 60:
        meant = f"{int(clock[2])} {int(clock[1])} * * *"
        raise _error("is a time and not five fields", "Write it as cron does", meant)
    if len(fields) != 5:
        count = f"has {len(fields)} {'field' if len(fields) == 1 else 'fields'}, not five"
        fewer = " ".join(fields[1:]) if len(fields) == 6 and fields[0] == "0" else None
        raise _error(count, f"Write {_NAMES}, such as {_EXAMPLE}", fewer)
    plain = " ".join("*" if field == "?" else field for field in fields)
    if plain != " ".join(fields):
        raise _error("has a ?, which not every cron reads", "Write * instead", plain)
    for field, name in zip(fields, _NAMES.replace(" and ", ", ").split(", "), strict=True):
        if not _FIELD.fullmatch(field):
            raise _error(
                f"has {field} as its {name}, which is neither a number, a range, a list nor a step",
                f"Write {_NAMES}, such as {_EXAMPLE}",
            )
    _check_day(fields)
    _check_due(fields)
    return " ".join(fields)


def _check_day(fields: Sequence[str]) -> None:
    minute, hour, day, month, weekday = fields
    if day != "*" and weekday != "*":
        raise InvalidValueError(
            "restricts the day of the month and the day of the week, which cron reads as either of "
            "the two and people as both",
            "Write * for one of them",
            ("", " ".join((minute, hour, "*", month, weekday))),
            rule=CRON_RULE,
        )


def _check_due(fields: Sequence[str]) -> None:
    minute, text = fields[0], " ".join(fields)
    try:
        first = next(CronSim(text, _BEGINNING), None)
    except CronSimError as error:
        reason = str(error)[:1].lower() + str(error)[1:]
        days = "bad day-of-month" in reason and fields[2].isdecimal() and int(fields[2]) < 32
        if not days:
            raise _error(
                f"is not a cron text ({reason})", f"Write {_NAMES}, such as {_EXAMPLE}"
            ) from None
        first = None
    if first is None:
        last = " ".join((*fields[:2], "1", *fields[3:]))
        raise _error("is never due: no such month has that day", "Write a day that comes", last)
    if not _MINUTE.fullmatch(minute):
        once = " ".join(("0", *fields[1:]))
        raise _error("is due more than once an hour", "Write one minute", once)


def models_meant(value: object) -> tuple[str, ...] | None:
    """The served names in a list; None for `all`. Raises InvalidValueError."""
    if value == ALL_MODELS:
        return None
    if isinstance(value, str) and value.strip():
        meant = ALL_MODELS if value.strip().lower() == ALL_MODELS else [value.strip()]
        raise InvalidValueError(
            "is neither all nor a list", "Write all, or the names in a list", ("", meant)
        )
    if not isinstance(value, list | tuple) or not value:
        empty = "is empty" if isinstance(value, list | tuple) else "is neither all nor a list"
        reason = "has no value" if value is None else empty
        raise InvalidValueError(reason, "Write all, or the names in a list", ("", ALL_MODELS))
    names = [name for name in value if isinstance(name, str) and name.strip()]
    if len(names) < len(value):
        raise InvalidValueError(
            "holds what is no name of a model", "Write the names that requests use"
        )
    once = list(dict.fromkeys(names))
    if len(once) < len(names):
        raise InvalidValueError("names a model twice", "Keep each name once", ("", once))
    return tuple(names)


def _error(reason: str, remedy: str, meant: str | None = None) -> InvalidValueError:
    fixes = (("", meant),) if meant is not None and _is_fine(meant) else ()
    return InvalidValueError(reason, remedy, *fixes, rule=CRON_RULE)


def _is_fine(text: str) -> bool:
    try:
        cron_text(text)
    except InvalidValueError:
        return False
    return True


def time_zone(name: str) -> str:
    """The name of a zone of the IANA's database; raises InvalidValueError for any other."""
    if name in _zones():
        return name
    near = _nearest_zone(name)
    raise InvalidValueError(
        "is not a time zone of the IANA's database, whose names are such as Europe/Berlin"
        + ("" if name.lower() not in ("local", "localtime") else "; a pod has no zone of its own"),
        "Write the zone of a city" if near is None else "Write it as the database does",
        *(() if near is None else (("", near),)),
        rule=ZONE_RULE,
    )


def _nearest_zone(name: str) -> str | None:
    """The zone of a city that is spelt a little differently, or the same name in another case.

    Nothing is near an abbreviation or an offset: CEST is one letter from EST, and hours away. The
    signs of Etc/GMT+1 are the reverse of what people mean.
    """
    folded = name.strip().lower().replace(" ", "_")
    if exact := next((zone for zone in sorted(_zones()) if zone.lower() == folded), None):
        return exact
    places = [zone for zone in sorted(_zones()) if "/" in zone and not zone.startswith("Etc/")]
    cities = {zone.rpartition("/")[2].lower(): zone for zone in places}
    near = respelt(folded.rpartition("/")[2], cities, _LIKENESS)
    return cities[near] if near else None


@cache
def _zones() -> frozenset[str]:
    """The zones of the pinned package, so that no machine's own database decides."""
    text = (resources.files("tzdata") / "zones").read_text(encoding="utf-8")
    return frozenset(text.split())


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of a name that `time_zone` takes."""
    with _zone_file(name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def zone_data(name: str) -> bytes:
    """The file of the zone as the IANA's tools write it (TZif)."""
    return _zone_file(name).read_bytes()


def _zone_file(name: str) -> "resources.abc.Traversable":
    return (resources.files("tzdata") / "zoneinfo").joinpath(*name.split("/"))
