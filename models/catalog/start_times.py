"""How long the phases of a replica's start take; numbers and sources are in start_times.yaml."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Literal

from pydantic import Field

from models.catalog import data_file
from models.facts import Facts

Phase = Literal["node", "image", "streamed_image", "process", "compile", "graphs"]


class PhaseTime(Facts):
    """What public sources show of one phase.

    range: from the least to the most seconds, or from the slowest to the fastest bytes a second.
    known: whether the range stands in the sources or follows from them.
    """

    range: tuple[float, float]
    known: Literal["read", "inferred"]
    sources: tuple[str, ...] = Field(min_length=1)


class StartTimes(Facts):
    """The phases that take their time, and the ways of weights, which have a speed.

    client_timeout_seconds: after which OpenAI's clients give up and ask again.
    """

    date: date
    client_timeout_seconds: int
    seconds: Mapping[Phase, PhaseTime]
    bytes_per_second: Mapping[Literal["hub", "bucket", "disk", "load"], PhaseTime]


@cache
def start_times() -> StartTimes:
    """Return the ranges that ship with the program."""
    return StartTimes.model_validate(data_file.read("start_times.yaml"))
