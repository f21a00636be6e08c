"""uv, which installs the Python environments beside the project's own."""

import os
import shutil
import subprocess
from pathlib import Path

from localcloud.go_build import BuildError
from localcloud.store import CHECKOUT


def program() -> str:
    """The project's own uv, or the one on PATH. Raises BuildError if there is none."""
    own = CHECKOUT / ".uv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if not found:
        raise BuildError("there is no `uv` to install it with: run `make` or `pip install uv`.")
    return found


def run(*arguments: str | Path, cwd: Path | None = None, **variables: str) -> None:
    """Run a command of uv outside any active environment.

    variables: of its environment, besides this process's own. Raises BuildError with the last line
    that uv says.
    """
    done = subprocess.run(
        [program(), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "VIRTUAL_ENV": "", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["uv gave no message"]
        raise BuildError(last[0].strip())
