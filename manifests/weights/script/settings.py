"""What the Job is told, by its environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository of the hub, and the folder that it is kept in."""

    source: str
    revision: str
    folder: str
    any_format: bool


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to fill.

    target: the mounted bucket. staging: a folder of the pod, for one file at a time.
    pause_seconds: before the second attempt, twice as long before the third, and so on.
    """

    repositories: tuple[Repository, ...]
    target: Path
    staging: Path
    token: str | None
    pause_seconds: float


def settings_of(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings; the token is read from its file, if that is there."""
    token = Path(environment["TOKEN_FILE"])
    return Settings(
        repositories=tuple(
            Repository(
                source=item["source"],
                revision=item["revision"],
                folder=item["folder"],
                any_format=item["anyFormat"],
            )
            for item in json.loads(environment["REPOSITORIES"])
        ),
        target=Path(environment["TARGET"]),
        staging=Path(environment["STAGING"]),
        pause_seconds=float(environment["FILL_PAUSE_SECONDS"]),
        token=token.read_text("utf-8").strip() or None if token.is_file() else None,
    )
