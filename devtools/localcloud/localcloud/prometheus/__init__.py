"""Prometheus and its promtool, built by Go: they check rules and answer queries as the real one.

Only what finds targets in files is built in. Discovery in clouds and clusters would bring some
500 packages more, and the pages for browsers are not in the module.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from localcloud.go_build import GoProgram, build, module_key
from localcloud.store import programs_folder

HERE: Final = Path(__file__).parent
_PACKAGES: Final = "github.com/prometheus/prometheus/cmd"
_TAGS: Final = "remove_all_sd"
_BYTES: Final = 1_500_000_000
_PROGRAMS: Final = tuple(
    GoProgram(HERE, f"{_PACKAGES}/{name}", name, needed_bytes=_BYTES, tags=_TAGS)
    for name in ("promtool", "prometheus")
)


@dataclass(frozen=True, kw_only=True)
class PrometheusPrograms:
    """The paths of the two programs."""

    prometheus: Path
    promtool: Path


def prometheus_programs(output: TextIO = sys.stderr) -> PrometheusPrograms:
    """The programs, built first if they are not there. Raises BuildError with one sentence."""
    folder = programs_folder() / f"prometheus-{module_key([HERE], _TAGS)}"
    folder.mkdir(parents=True, exist_ok=True)
    build(_PROGRAMS, folder, output)
    return PrometheusPrograms(prometheus=folder / "prometheus", promtool=folder / "promtool")
