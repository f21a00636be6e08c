"""What an update wakes: it writes the minima of the day, at whatever hour it comes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rollouts.expectation import Expectation, gpus_in_words
from rollouts.handover import model_of, running_at_least
from rollouts.sentence import Sentence
from rollouts.serve_models import applications, gpus_of_replica, serve_options

_NAMED = 6


def waking_sentence(
    asleep: Mapping[str, datetime],
    new: Mapping[str, Any],
    expected: Expectation,
    every_minutes: int | None,
) -> Sentence | None:
    """Which models sleep now and are woken; None if there are none.

    asleep: when each model that sleeps by its windows would wake.
    new: the RayService as it is to be.
    every_minutes: how often the schedule looks; None if the models have off-hours no more.
    """
    try:
        found = applications(new["spec"]["serveConfigV2"]).values()
    except (ValueError, KeyError, TypeError):
        return None
    woken = [item for item in found if model_of(item) in asleep and running_at_least(item)]
    if not woken:
        return None
    gpus: Counter[str] = Counter()
    for item in woken:
        pool, each = gpus_of_replica(item)
        gpus[pool] += each * running_at_least(item)
    names = [model_of(item) for item in woken]
    until = min((asleep[name] for name in names), key=lambda end: end.timestamp())
    usd = expected.usd_per_hour(gpus, whole_nodes=False)
    price = "" if usd is None else f", USD {usd:.2f} an hour"
    more = len(names) - _NAMED
    listed = ", ".join([*names[:_NAMED], *([f"{more} more"] if more > 0 else [])])
    return Sentence(
        f"It is off-hours for {listed}, until {until:%A, %H:%M} ({until.tzinfo}) at the earliest. "
        f"This update wakes {'it' if len(names) == 1 else 'them'}: it writes the minima of the day "
        f"({', '.join(gpus_in_words(gpus))}{price}). {_afterwards(woken, every_minutes)}",
        warns=True,
    )


def _afterwards(woken: Sequence[Mapping[str, Any]], every_minutes: int | None) -> str:
    if every_minutes is None:
        return "Nothing lets them sleep again, because they have no off-hours any more."
    delay = max(map(_downscale_delay, woken))
    return (
        f"At most {every_minutes} minutes later the schedule sets them to 0 again, and replicas "
        f"without requests go after their downscale delay of {delay} seconds."
    )


def _downscale_delay(application: Mapping[str, Any]) -> int:
    scaling = serve_options(application).get("autoscaling_config") or {}
    delay = scaling.get("downscale_delay_s")
    return int(delay) if isinstance(delay, int | float) else 0
