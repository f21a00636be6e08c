"""The Pulumi engine: the `pulumi` on PATH, or one built here from its Go module.

The first build takes some four minutes on two cores and 2 GB of disk. `go_build`
keeps its result under a key made of the pinned module files, so it happens once.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, TextIO

from localcloud.go_build import BuildError, GoProgram, build, module_key
from localcloud.store import write_atomically

SOURCE: Final = Path(__file__).parent / "engine"
PACKAGE: Final = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
HOST_VARIABLE: Final = "RAY_LLM_LOCALCLOUD_HOST"
SHIM_MARK: Final = "# the local cloud's own pulumi command"
# Modules, compiled packages and the program; measured on the first build of 3.259.
_NEEDED_BYTES: Final = 2_500_000_000
_HOST_SCRIPT: Final = (
    f'#!/bin/sh\nexec "${{{HOST_VARIABLE}:?start pulumi through python -m localcloud}}" "$@"\n'
)


class EngineError(Exception):
    """No usable engine; the message says why and what to do."""


def engine(cache: Path, output: TextIO = sys.stderr) -> Path:
    """The path of a `pulumi` that suits the installed SDK, built if necessary.

    Raises EngineError with one sentence when there is none and none can be built.
    """
    found = _on_path()
    if found is not None:
        refusal = _refusal(found)
        if refusal is None:
            return Path(found)
        print(f"{found} is not used: {refusal}", file=output)
    return _built(cache, output)


def _on_path() -> str | None:
    """The first `pulumi` on PATH that is not the local cloud's own command (`make shell`)."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        found = shutil.which("pulumi", path=folder or os.curdir)
        if found is not None:
            with Path(found).open("rb") as file:
                if SHIM_MARK.encode() not in file.read(200):
                    return found
    return None


def sdk_version() -> str:
    """The version of the installed Pulumi SDK, which an engine must not be older than."""
    return importlib.metadata.version("pulumi")


def _refusal(pulumi: str) -> str | None:
    """Why this `pulumi` cannot be used, or None."""
    try:
        done = subprocess.run(
            [pulumi, "version"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not run ({error})"
    version = _numbers(done.stdout)
    if done.returncode != 0 or version is None:
        return "it does not print its version"
    wanted = _numbers(sdk_version())
    if wanted is not None and (version[0] != wanted[0] or version < wanted):
        return f"its version {done.stdout.strip()} is older than the SDK's {sdk_version()}"
    return None


def _numbers(text: str) -> tuple[int, ...] | None:
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else None


def build_key() -> str:
    """Names one build: the pinned version and the module files."""
    return f"{_version()}-{module_key([SOURCE], _version())}"


def _version() -> str:
    text = (SOURCE / "go.mod").read_text(encoding="utf-8")
    match = re.search(r"github\.com/pulumi/pulumi/pkg/v3 (v\S+)", text)
    if match is None:
        msg = f"{SOURCE / 'go.mod'} does not require the Pulumi CLI; restore it from git."
        raise EngineError(msg)
    return match[1]


def _built(cache: Path, output: TextIO) -> Path:
    folder = cache / "engine" / build_key()
    if not (folder / "pulumi").exists():
        print(
            f"There is no `pulumi` to use on PATH: building {_version()} from source, once. "
            "About four minutes on two cores, less if Go has built it before.",
            file=output,
            flush=True,
        )
        stamp = f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={_version()}"
        program = GoProgram(SOURCE, PACKAGE, "pulumi", f"-s -w -X {stamp}", _NEEDED_BYTES)
        try:
            build([program], folder, output)
        except BuildError as error:
            msg = f"{error} Or put a `pulumi` {sdk_version()} or later on PATH."
            raise EngineError(msg) from error
    # The engine accepts a language host in its own folder without a warning.
    host = folder / "pulumi-language-python"
    if not host.exists() or host.read_text(encoding="utf-8") != _HOST_SCRIPT:
        write_atomically(host, _HOST_SCRIPT)
        host.chmod(0o755)
    return folder / "pulumi"
