"""Installs Ray Serve LLM of one release, without its engine, in a cached environment.

All versions are those that `ray[llm]` and its vLLM had a week after the release. vLLM is resolved
with the rest, because it holds other packages back (0.29.0 keeps FastAPI below 0.137, with which
Ray's front end answers every request with 400), and is then left out, with all that only it needs.
"""

import datetime
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from localcloud import uv
from localcloud.go_build import BuildError
from localcloud.store import CHECKOUT, locked
from models.catalog import ray_releases

FOLDER: Final = CHECKOUT / ".localcloud" / "ray-releases"
# Of one environment; most files are shared with uv's cache and so with the others.
BYTES: Final = 1_000_000_000
DAYS_AFTER_RELEASE: Final = 7
# Left out: the engine, for which there is a stand-in, and what copies KV caches between GPUs.
LEFT_OUT: Final = ("vllm", "nixl", "nixl-cu12", "nixl-cu13")
# Ray's LLM code imports them, but they come with vLLM or with the image.
ADDED: Final = (
    "boto3",
    "httpx",
    "jinja2",
    "kubernetes",
    "python-multipart",
    "pyzmq",
    "transformers",
)


@cache
def _published() -> dict[str, datetime.date]:
    path = Path(__file__).with_name("published.yaml")
    days: dict[str, datetime.date] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return days


def install(ray: str) -> Path:
    """The environment's folder; made at the first call. Raises BuildError."""
    if ray not in _published():
        raise BuildError(
            f"scripts/ray_releases/published.yaml does not say when Ray {ray} came out: "
            "add its upload time on PyPI."
        )
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    target = FOLDER / f"{ray}-py{python}"
    complete = target / ".complete"
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(FOLDER / f".{ray}.lock"):
        if not complete.exists():
            _make(ray, target)
            complete.touch()
    return target


def _make(ray: str, target: Path) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < 2 * BYTES:
        raise BuildError(
            f"Ray {ray} needs {2 * BYTES / 1e9:.1f} GB while it is installed, but {target.parent} "
            f"has {free / 1e9:.1f} GB free: free some."
        )
    print(f"Installing Ray {ray} (up to {BYTES / 1e6:.0f} MB), once.", flush=True)
    shutil.rmtree(target, ignore_errors=True)
    day = _published()[ray] + datetime.timedelta(days=DAYS_AFTER_RELEASE)
    wanted, whole = target / "wanted.txt", target / "versions.txt"
    left_out = target / "left-out.txt"
    uv.run("venv", "--python", sys.executable, str(target))
    parts = (f"ray[llm]=={ray}", f"vllm=={ray_releases()[ray].vllm}", *ADDED)
    wanted.write_text("".join(f"{part}\n" for part in parts), encoding="utf-8")
    left_out.write_text("".join(f"{name} ; sys_platform == 'never'\n" for name in LEFT_OUT))
    until = ("--exclude-newer", day.isoformat())
    into = ("--python", str(target / "bin/python"))
    uv.run("pip", "compile", *until, *into, "--no-header", "--no-annotate", "-o", whole, wanted)
    choice = ("--override", left_out, "--constraint", whole)
    uv.run("pip", "install", *until, *into, *choice, f"ray[llm]=={ray}", *ADDED)


def versions(environment: Path, *names: str) -> dict[str, str]:
    """The versions that an environment was resolved to, those of the left out among them."""
    lines = (environment / "versions.txt").read_text(encoding="utf-8").splitlines()
    found = dict(line.split("==") for line in lines if "==" in line)
    return {name: found[name].split(" ")[0] for name in names if name in found}
