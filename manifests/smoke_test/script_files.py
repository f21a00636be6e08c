"""Writes the ConfigMap with the program that the Job runs, and the command that starts it."""

from functools import cache
from importlib import resources
from typing import Any

from manifests.program_files import program_config_map, program_volume, python_command
from manifests.smoke_test.access import NAME
from planning import Plan

FOLDER = "/opt/smoke-test"
VOLUME = "smoke-test"
# Inside the folder the files are a package, so that they can import each other as they do here.
PACKAGE = "smoke_test"
COMMAND = python_command(FOLDER, f"{PACKAGE}.main")


@cache
def script_files() -> dict[str, str]:
    """The program's files by name, in alphabetical order."""
    folder = resources.files("manifests.smoke_test") / "script"
    files = sorted(item.name for item in folder.iterdir() if item.name.endswith(".py"))
    return {name: (folder / name).read_text(encoding="utf-8") for name in files}


def script_config_map(plan: Plan) -> dict[str, Any]:
    """The ConfigMap of the program."""
    return program_config_map(plan, NAME, script_files())


def script_volume(config_map: dict[str, Any]) -> dict[str, Any]:
    """The Job's volume: the files of `config_map` as a package."""
    paths = ((name, f"{PACKAGE}/{name}") for name in config_map["data"])
    return program_volume(VOLUME, config_map, paths)
