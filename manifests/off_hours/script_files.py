"""Writes the ConfigMap with the program that the pods run, and the command that starts it.

The files lie in the pod as they do here, so that they can import each other, beside cronsim and the
time zones of the windows: an image need not have either.
"""

import base64
from functools import cache
from importlib import metadata, resources
from pathlib import PurePosixPath
from typing import Any, Final

from manifests.off_hours.access import NAME
from manifests.program_files import (
    key_of,
    program_config_map,
    program_volume,
    python_command,
)
from models.off_hours import zone_data
from planning import OffHoursPlan, Plan

FOLDER: Final = "/opt/off-hours"
VOLUME: Final = "off-hours"
ZONES: Final = "zoneinfo"
COMMAND: Final = python_command(FOLDER, "manifests.off_hours.script.main")
# By their paths from the root of this repository, and of the packages that they are taken from.
_OWN: Final = (
    ("manifests.off_hours.script", "main.py"),
    ("manifests.off_hours.script", "minima.py"),
    ("manifests.smoke_test.script", "http_json.py"),
    ("manifests.smoke_test.script", "kubernetes_api.py"),
    ("models", "schedule.py"),
    ("cronsim", "cronsim.py"),
    ("cronsim", "__init__.py"),
)


@cache
def script_files() -> dict[str, str]:
    """The program's files by their paths, in alphabetical order; cronsim's license is one."""
    texts = {
        f"{package.replace('.', '/')}/{name}": (resources.files(package) / name).read_text("utf-8")
        for package, name in _OWN
    }
    texts["cronsim/LICENSE"] = _license()
    # Packages with an empty beginning: without one, any other package of the name would win.
    folders = {parent for path in texts for parent in PurePosixPath(path).parents}
    for folder in sorted(folders - {PurePosixPath(".")}):
        texts.setdefault(f"{folder}/__init__.py", "")
    return dict(sorted(texts.items()))


def _license() -> str:
    found = metadata.distribution("cronsim").read_text("licenses/LICENSE")
    if found is None:
        raise FileNotFoundError("the license of cronsim, which is copied with its file")
    return found


def zone_names(off_hours: OffHoursPlan) -> tuple[str, ...]:
    """The time zones of the windows, in alphabetical order."""
    return tuple(sorted({window.time_zone for window in off_hours.windows}))


def script_config_map(plan: Plan, off_hours: OffHoursPlan) -> dict[str, Any]:
    """The ConfigMap of the program and its time zones."""
    texts = {key_of(path): text for path, text in script_files().items()}
    zones = {
        key_of(f"{ZONES}/{name}"): base64.b64encode(zone_data(name)).decode("ascii")
        for name in zone_names(off_hours)
    }
    return program_config_map(plan, NAME, texts, zones)


def script_volume(config_map: dict[str, Any], off_hours: OffHoursPlan) -> dict[str, Any]:
    """The pods' volume: the files of `config_map` at their paths."""
    zones = [f"{ZONES}/{name}" for name in zone_names(off_hours)]
    paths = ((key_of(path), path) for path in (*script_files(), *zones))
    return program_volume(VOLUME, config_map, paths)
