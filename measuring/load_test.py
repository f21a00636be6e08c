"""The load test: a first request alone, then so many at once for so many seconds, level by level.

It is bounded: each of the requests at once begins the next one when it is answered, none begins
after the level's seconds, and none takes longer than its limit. The first failure ends all of it,
because what is left would be a measurement of something else, and a limit of a gateway is no place
to insist at.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx2 as httpx

from measuring.errors import LoadError
from measuring.levels import LoadResult, level_of
from measuring.one_request import Answer, ask
from models.measurements import MeasuredLevel

LEVELS: Final = (1, 8, 32)
REQUEST_SECONDS: Final = 120.0
_CONNECT_SECONDS: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to ask, and for how long.

    base_url: of the model's OpenAI API, up to `/v1`. key: sent as a bearer token; None without one.
    words: of a prompt. output_tokens: of an answer. seconds: of each level.
    first_seconds: for the first request, which may wake the model.
    """

    base_url: str
    model: str
    key: str | None
    words: int
    output_tokens: int
    seconds: float
    first_seconds: float
    levels: tuple[int, ...] = LEVELS


def measured_levels(load: Load, tell: Callable[[str], None]) -> LoadResult:
    """Runs the test. tell: says what happens, a sentence each. Raises LoadError."""
    try:
        return asyncio.run(_run(load, tell))
    except LoadError as error:
        raise (error.without(load.key) if load.key else error) from None


async def _run(load: Load, tell: Callable[[str], None]) -> LoadResult:
    headers = {} if load.key is None else {"Authorization": f"Bearer {load.key}"}
    limits = httpx.Limits(max_connections=max(load.levels))
    # The time of a whole request is limited where it is asked.
    timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
    try:
        http = httpx.AsyncClient(
            base_url=load.base_url, headers=headers, limits=limits, timeout=timeout
        )
    except (httpx.InvalidURL, ValueError) as error:
        # What cannot be read may hold a password anywhere.
        raise LoadError(f"the service's address is none ({error})") from None
    async with http:
        tell(f"Asks {load.model} once; a model that sleeps wakes now.")
        await ask(http, load.model, load.words, load.output_tokens, load.first_seconds)
        levels: list[MeasuredLevel] = []
        answers: list[Answer] = []
        for at_once in load.levels:
            tell(f"{at_once} at once for {load.seconds:.0f} s.")
            level, found = await _level(http, load, at_once)
            levels.append(level)
            answers += found
    return LoadResult(
        levels=tuple(levels),
        prompt_tokens=_mean([answer.prompt_tokens for answer in answers]),
        output_tokens=_mean([answer.output_tokens for answer in answers]),
    )


async def _level(
    http: httpx.AsyncClient, load: Load, at_once: int
) -> tuple[MeasuredLevel, list[Answer]]:
    start = time.monotonic()
    end = start + load.seconds
    answers: list[Answer] = []

    async def ask_again_and_again() -> None:
        while not answers or time.monotonic() < end:
            answers.append(
                await ask(http, load.model, load.words, load.output_tokens, REQUEST_SECONDS)
            )

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(ask_again_and_again())
    except BaseExceptionGroup as group:
        found = group.subgroup(LoadError)
        if found is None:
            raise
        raise _first(found).after(at_once, len(answers)) from None
    return level_of(answers, at_once, start, end), answers


def _first(errors: BaseExceptionGroup[LoadError]) -> LoadError:
    found = errors.exceptions[0]
    return found if isinstance(found, LoadError) else _first(found)


def _mean(numbers: list[int]) -> float:
    return round(sum(numbers) / len(numbers), 1)
