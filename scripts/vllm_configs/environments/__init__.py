"""The Python environments of the pinned vLLM releases: what is in them, and how they are made.

RELEASE.txt is compiled from RELEASE.in without what left_out.txt names, so that nothing of CUDA
beyond its small runtime library is downloaded:

    uv pip compile --no-header --no-annotate --python-version 3.11 --override left_out.txt \
        0.29.0.in -o 0.29.0.txt
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

from localcloud import uv
from localcloud.go_build import BuildError
from models.catalog import ray_releases

FOLDER: Final = Path(__file__).parent
ROOT: Final = FOLDER.parent.parent.parent
# The local cluster's real engine needs the same stand-ins for the CUDA libraries.
STUBS: Final = ROOT / "devtools/localcloud/localcloud/cluster/real_engine"
CACHE: Final = ROOT / ".vllm-configs"
# Bytes on disk and of downloads, as measured.
_SIZES: Final = {
    "0.10.0": "4 GB on disk, 1.4 GB of it downloaded",
    "0.29.0": "3 GB, 1 GB downloaded",
}


def pinned() -> tuple[str, ...]:
    """The Ray releases whose vLLM can be installed, oldest first."""
    return tuple(
        row.ray for row in ray_releases().values() if (FOLDER / f"{row.vllm}.txt").exists()
    )


@cache
def installed(ray: str) -> Path:
    """The interpreter of the environment with a Ray release's vLLM, which is made if missing."""
    vllm = ray_releases()[ray].vllm
    home, requirements = CACHE / vllm, FOLDER / f"{vllm}.txt"
    python, done = home / "bin" / "python", home / "installed.txt"
    wanted = requirements.read_text("utf-8")
    if done.exists() and done.read_text("utf-8") == wanted:
        return python
    print(f"Installing vLLM {vllm} into {home} ({_SIZES[vllm]}).", flush=True)
    try:
        uv.run("venv", "--clear", "--python", "3.11", home)
        uv.run("pip", "install", "--no-deps", "--python", python, "--requirement", requirements)
    except BuildError as error:
        sys.exit(f"vLLM {vllm} cannot be installed: {error}")
    for stubs in (STUBS / "stub_libraries.py", FOLDER / "driver_stub.py"):
        _run(str(python), str(stubs), PYTHONPATH=str(STUBS))
    done.write_text(wanted, "utf-8")
    return python


def _run(*command: str, **environment: str) -> None:
    try:
        subprocess.run(
            command, check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{command[0]} failed: {error}")
