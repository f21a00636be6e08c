"""Pulumi's gRPC messages without the rest of its SDK.

Importing any module of `pulumi` imports all of it, which takes half a second of
CPU and is useless in a provider process. There the packages that contain the
messages are therefore declared without running them.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType


def declare_pulumi() -> None:
    """Make only `pulumi.runtime.proto` importable; nothing else of pulumi works afterwards."""
    spec = PathFinder.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations or "pulumi" in sys.modules:
        return
    folder = Path(next(iter(spec.submodule_search_locations)))
    for name in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):
        module = ModuleType(name)
        module.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = module
