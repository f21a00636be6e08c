"""Engine arguments that came and went between the pinned vLLM releases.

Which release has an argument follows from vllm/*.yaml; what replaces a dropped one is in
replaced_engine_arguments.yaml.
"""

from collections.abc import Mapping
from functools import cache

from models.catalog import data_file
from models.catalog.vllm_release import engine_arguments, serving_arguments, vllm_versions
from models.facts import Facts


class DroppedArgument(Facts):
    """An engine argument that vLLM has dropped.

    instead: what to do, a whole sentence. becomes: the argument that takes the same value.
    source: where that is written.
    """

    name: str
    instead: str
    becomes: str | None = None
    source: str


@cache
def dropped_arguments() -> Mapping[str, DroppedArgument]:
    """Arguments with something that replaces them, by name."""
    return {
        name: DroppedArgument(
            name=name,
            instead=row["instead"],
            becomes=row.get("becomes"),
            source=row["source"],
        )
        for row in data_file.read("replaced_engine_arguments.yaml")
        for name in row["arguments"]
    }


def dropped_in(name: str, version: str) -> str | None:
    """The first pinned vLLM, `version` at the latest, that lacks an argument that an older one had.

    None if no older one had it.
    """
    pinned = vllm_versions()
    had = [number for number, vllm in enumerate(pinned[: pinned.index(version)]) if has(vllm, name)]
    return pinned[had[-1] + 1] if had else None


def added_in(name: str, version: str) -> str | None:
    """The first pinned vLLM after `version` that has an argument; None if there is none."""
    pinned = vllm_versions()
    later = pinned[pinned.index(version) + 1 :]
    return next((vllm for vllm in later if has(vllm, name)), None)


def has(version: str, name: str) -> bool:
    """Whether a pinned vLLM takes an engine argument under Ray Serve."""
    return name in engine_arguments(version) or name in serving_arguments(version)
