"""The local cloud's memory: what exists in it, and a journal of every call.

One JSON file per service holds what Google or a Kubernetes API server would
store. Several provider processes share it, so every access takes a file lock
and every write is atomic. After an engine is killed, the file holds exactly
what the engine had created, as in the real cloud.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# The folder from which `import localcloud` works, and the repository that contains it.
SOURCE: Final = Path(__file__).parents[1]
CHECKOUT: Final = Path(__file__).parents[3]
HOME_VARIABLE = "RAY_LLM_LOCALCLOUD"
CACHE_VARIABLE = "RAY_LLM_LOCALCLOUD_CACHE"
RUN_VARIABLE = "RAY_LLM_LOCALCLOUD_RUN"
PROGRAMS_VARIABLE = "RAY_LLM_LOCALCLOUD_PROGRAMS"


def default_home() -> Path:
    """`.localcloud` in the checkout, or what RAY_LLM_LOCALCLOUD says."""
    return Path(os.environ.get(HOME_VARIABLE) or CHECKOUT / ".localcloud").resolve()


def programs_folder() -> Path:
    """Where built programs and installed environments lie, which all clusters share."""
    default = CHECKOUT / ".localcloud" / "programs"
    return Path(os.environ.get(PROGRAMS_VARIABLE) or default).resolve()


def home_from_environment() -> Path:
    """The home folder of the command that started this process."""
    home = os.environ.get(HOME_VARIABLE)
    if not home:
        msg = f"{HOME_VARIABLE} is not set; start pulumi through `python -m localcloud`."
        raise RuntimeError(msg)
    return Path(home)


def cache_from_environment() -> Path:
    """The folder for data read from pinned packages; several homes may share it."""
    shared = os.environ.get(CACHE_VARIABLE)
    return Path(shared) if shared else home_from_environment() / "cache"


def write_atomically(path: Path, text: str) -> None:
    """Write a temporary file and rename it to `path`, so that no reader sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` against other processes and threads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class CloudStore:
    """What exists in one service of the local cloud."""

    def __init__(self, home: Path, service: str) -> None:
        self.path = home / "cloud" / f"{service}.json"
        self._lock = home / "cloud" / f".{service}.lock"

    def read(self) -> dict[str, Any]:
        """A snapshot of everything."""
        content: dict[str, Any] = json.loads(self._text())
        return content

    @contextlib.contextmanager
    def transaction(self) -> Iterator[dict[str, Any]]:
        """Read, let the caller change, and write back unless it raised."""
        with locked(self._lock):
            before = self._text()
            content = json.loads(before)
            yield content
            after = json.dumps(content, sort_keys=True)
            if after != before:
                write_atomically(self.path, after)

    def _text(self) -> str:
        """What the last transaction wrote, as it wrote it."""
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return "{}"


class Journal:
    """Every create, update and delete that reached a provider, as JSON lines.

    An entry has the time (seconds since the epoch), the run (one pulumi
    command), provider, operation, type, name and phase (`begin`, `done` or
    `failed`). It has no property values and therefore no secrets.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "cloud" / "journal.jsonl"
        self._lock = home / "cloud" / ".journal.lock"

    def entries(self) -> list[dict[str, Any]]:
        """All entries, oldest first."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def append(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        """Add one entry and return this run's entries including it."""
        run = os.environ.get(RUN_VARIABLE, "")
        with locked(self._lock):
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"time": time.time(), "run": run, **entry}) + "\n")
            return [e for e in self.entries() if e["run"] == run]
