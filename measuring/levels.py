"""From the answers of one level to its figures."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from measuring.one_request import Answer
from models.measurements import MeasuredLevel, Spread

_NTH_OF_TWENTY = 18  # the 95th percentile
_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """The levels, and the mean number of tokens of all prompts and answers."""

    levels: tuple[MeasuredLevel, ...]
    prompt_tokens: float
    output_tokens: float


def level_of(answers: Sequence[Answer], at_once: int, start: float, end: float) -> MeasuredLevel:
    """The figures of a level that began new requests from `start` to `end`.

    Answers that end later count with the tokens that came before, so that the emptying at the end
    does not make the level slower than it was.
    """
    tokens = sum(_inside(answer, start, end) for answer in answers)
    return MeasuredLevel(
        requests_at_once=at_once,
        requests=len(answers),
        output_tokens_per_second=max(0.01, round(tokens / (end - start), 2)),
        time_to_first_token=_spread(answer.first - answer.sent for answer in answers),
        inter_token=_spread(
            (answer.last - answer.first) / (answer.output_tokens - 1)
            if answer.output_tokens > 1
            else 0.0
            for answer in answers
        ),
    )


def _inside(answer: Answer, start: float, end: float) -> float:
    """The tokens that came in between, as if they had come evenly from the first to the last."""
    took = answer.last - answer.first
    if took <= 0:
        return float(answer.output_tokens) if start <= answer.first <= end else 0.0
    inside = max(0.0, min(end, answer.last) - max(start, answer.first))
    return answer.output_tokens * inside / took


def _spread(seconds: Iterable[float]) -> Spread:
    values = list(seconds)
    if len(values) == 1:
        values *= 2
    p95 = statistics.quantiles(values, n=20, method="inclusive")[_NTH_OF_TWENTY]
    return Spread(median=round(statistics.median(values), _DIGITS), p95=round(p95, _DIGITS))
