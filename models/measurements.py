"""Measured speed of a model: the small file that `ray-llm measure` writes and the plan reads.

It lies beside the stack file, at measurements/STACK/MODEL.yaml, and holds no secret, so that it can
be committed: a measurement then is a change that people review.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import Field, JsonValue, ValidationError

from models.names import Count, NonEmpty
from models.settings import Settings

VERSION: Final = 1
FOLDER: Final = "measurements"
_LARGEST_BYTES: Final = 100_000
Seconds = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=1_000_000_000, allow_inf_nan=False)]


class Spread(Settings):
    """Seconds over all requests of a level: the median, and what 95 of 100 are below."""

    median: Seconds
    p95: Seconds


class MeasuredLevel(Settings):
    """What so many requests at once got.

    output_tokens_per_second: of all of them together, over all replicas.
    time_to_first_token: from the request to its first token.
    inter_token: from a token to the next, the mean of each request.
    """

    requests_at_once: Count
    requests: Count
    output_tokens_per_second: Rate
    time_to_first_token: Spread
    inter_token: Spread


class Measurement(Settings):
    """One model's speed on one day.

    measured: the day, UTC. replicas: how many answered, the same number all the time.
    prompt_tokens, output_tokens: of a request, the mean.
    conditions: all that the speed depends on, by planning/measured_speed.py: model, GPU, versions,
        engine settings.
    """

    version: Literal[1]
    measured: date
    model: NonEmpty
    replicas: Count
    prompt_tokens: Rate
    output_tokens: Rate
    conditions: dict[str, JsonValue]
    levels: Annotated[tuple[MeasuredLevel, ...], Field(strict=False, min_length=1)]


class MeasurementError(Exception):
    """A file that is no measurement; the text says why, on one line."""


def measurement_path(directory: Path, stack: str, model: str) -> Path:
    """Where the measurement of a model is. directory: that of the stack file."""
    return directory / FOLDER / stack / f"{model}.yaml"


def read_measurement(path: Path) -> Measurement | None:
    """The measurement in a file; None if there is no file. Raises MeasurementError."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise MeasurementError(f"cannot be read ({error.strerror})") from None
    if len(content) > _LARGEST_BYTES:
        raise MeasurementError("is too large for a measurement")
    try:
        return Measurement.model_validate(yaml.safe_load(content))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise MeasurementError(_why(error)) from None


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"is no measurement ({place or 'the whole'}: {first['msg'].lower()})"
    return "is no YAML"


def measurement_data(measurement: Measurement) -> Mapping[str, Any]:
    """A measurement as its file holds it."""
    data = measurement.model_dump(mode="json", by_alias=True)
    return {**data, "measured": measurement.measured}
