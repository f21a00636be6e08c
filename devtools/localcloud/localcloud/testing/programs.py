"""Small Pulumi programs for tests, each in a separate local cloud."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from localcloud.cloud import Project

if TYPE_CHECKING:
    import subprocess

Program = Callable[..., Project]


def output_of(done: subprocess.CompletedProcess[str]) -> str:
    """All that a command printed."""
    return done.stdout + done.stderr
