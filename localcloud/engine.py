"""The Pulumi engine: the `pulumi` on PATH, or one built here from its Go module.

A build takes some four minutes and 2 GB of disk the first time; its result is
kept under a key made of the pinned module files, so that it happens once. Two
processes never build at the same time and a half-built engine is never used:
the binary is renamed into place as the last step.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final, TextIO

from localcloud.store import locked, write_atomically

SOURCE: Final = Path(__file__).parent / "engine"
PACKAGE: Final = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
MINIMUM_GO: Final = (1, 26)
NEEDED_BYTES: Final = 2_500_000_000
HOST_VARIABLE: Final = "RAY_LLM_LOCALCLOUD_HOST"
_HOST_SCRIPT: Final = (
    f'#!/bin/sh\nexec "${{{HOST_VARIABLE}:?start pulumi through python -m localcloud}}" "$@"\n'
)
_NETWORK: Final = re.compile(
    r"dial tcp|connection refused|no such host|i/o timeout|TLS handshake|proxyconnect"
    r"|502 Bad Gateway|503 Service|network is unreachable|server misbehaving",
    re.IGNORECASE,
)


class EngineError(Exception):
    """No usable engine; the message says why and what to do."""


def engine(cache: Path, output: TextIO = sys.stderr) -> Path:
    """The path of a `pulumi` that suits the installed SDK, built if need be.

    Raises EngineError with one sentence when there is none and none can be built.
    """
    found = shutil.which("pulumi")
    if found is not None:
        refusal = _refusal(found)
        if refusal is None:
            return Path(found)
        print(f"{found} is not used: {refusal}", file=output)
    return _built(cache, output)


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
        return "it does not tell its version"
    wanted = _numbers(sdk_version())
    if wanted is not None and (version[0] != wanted[0] or version < wanted):
        return f"its version {done.stdout.strip()} is older than the SDK's {sdk_version()}"
    return None


def _numbers(text: str) -> tuple[int, ...] | None:
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else None


def build_key() -> str:
    """Names one build: the module files and the version that is stamped in."""
    digest = hashlib.sha256(_version().encode())
    for name in ("go.mod", "go.sum"):
        digest.update((SOURCE / name).read_bytes())
    return f"{_version()}-{digest.hexdigest()[:12]}"


def _version() -> str:
    text = (SOURCE / "go.mod").read_text(encoding="utf-8")
    match = re.search(r"github\.com/pulumi/pulumi/pkg/v3 (v\S+)", text)
    if match is None:
        msg = f"{SOURCE / 'go.mod'} does not require the Pulumi CLI; restore it from git."
        raise EngineError(msg)
    return match[1]


def _built(cache: Path, output: TextIO) -> Path:
    folder = cache / "engine" / build_key()
    binary = folder / "pulumi"
    if not binary.exists():
        with locked(cache / "engine" / ".lock"):
            if not binary.exists():
                _build(binary, output)
    # The engine takes a language host that lies next to it without remark.
    host = folder / "pulumi-language-python"
    if not host.exists() or host.read_text(encoding="utf-8") != _HOST_SCRIPT:
        write_atomically(host, _HOST_SCRIPT)
        host.chmod(0o755)
    return binary


def _build(binary: Path, output: TextIO) -> None:
    go = _go()
    binary.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    for folder in (binary.parent, _go_cache(go)):
        free = shutil.disk_usage(folder).free
        if free < NEEDED_BYTES and not _is_warm(go):
            msg = (
                f"building the Pulumi engine needs 2.5 GB, but {folder} has {free / 1e9:.1f} GB "
                "free; free some, or set GOCACHE to a disk with room."
            )
            raise EngineError(msg)
    temporary = binary.with_name(f".pulumi.{os.getpid()}")
    stamp = f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={_version()}"
    command = [go, "build", "-v", "-pgo=off", "-trimpath", "-ldflags", f"-s -w -X {stamp}"]
    print(
        f"Building the Pulumi engine {_version()} from source, once. This takes about four "
        "minutes on two cores (less if Go has built it before).",
        file=output,
        flush=True,
    )
    started = time.monotonic()
    try:
        errors = _run_with_progress([*command, "-o", str(temporary), PACKAGE], environment, output)
        if errors is not None:
            raise EngineError(_explain(errors))
        temporary.replace(binary)
    finally:
        temporary.unlink(missing_ok=True)
    print(f"Built in {time.monotonic() - started:.0f} s.", file=output, flush=True)


def _go() -> str:
    go = shutil.which("go")
    need = ".".join(map(str, MINIMUM_GO))
    ways = f"install Go {need} or later (https://go.dev/dl), or put a pulumi CLI on PATH."
    if go is None:
        msg = f"there is no `pulumi` on PATH and no `go` to build one: {ways}"
        raise EngineError(msg)
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        [go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=environment
    )
    version = _numbers(done.stdout)
    if version is None or version[:2] < MINIMUM_GO:
        msg = f"Go {done.stdout.strip() or '(unknown)'} at {go} is too old for the engine: {ways}"
        raise EngineError(msg)
    return go


def _go_cache(go: str) -> Path:
    done = subprocess.run([go, "env", "GOCACHE"], capture_output=True, text=True, check=False)
    path = Path(done.stdout.strip() or Path.home())
    while not path.exists():
        path = path.parent
    return path


def _is_warm(go: str) -> bool:
    """Whether Go has the CLI's modules already, so that little more is written."""
    done = subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, check=False)
    module = f"github.com/pulumi/pulumi/pkg/v3@{_version()}"
    return (Path(done.stdout.strip()) / module).is_dir()


def _run_with_progress(
    command: list[str], environment: dict[str, str], output: TextIO
) -> str | None:
    """Run `go build -v`, count what it reports; the errors if it failed."""
    process = subprocess.Popen(
        command,
        cwd=SOURCE,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    downloaded, compiled, other = 0, 0, []
    done = threading.Event()
    started = time.monotonic()

    def report() -> None:
        on_terminal = output.isatty()
        while not done.wait(1 if on_terminal else 20):
            elapsed = f"{time.monotonic() - started:.0f} s"
            text = f"  {downloaded} modules downloaded, {compiled} packages compiled, {elapsed}"
            output.write(f"\r{text}" if on_terminal else f"{text}\n")
            output.flush()
        if on_terminal:
            print(file=output)

    reporter = threading.Thread(target=report)
    reporter.start()
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("go: downloading"):
                downloaded += 1
            elif re.fullmatch(r"[\w.~/-]+\n", line):
                compiled += 1
            else:
                other.append(line)
        return "".join(other) if process.wait() else None
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    finally:
        done.set()
        reporter.join()


def _explain(errors: str) -> str:
    last = errors.strip().splitlines()[-1] if errors.strip() else "no message"
    if "no space left" in errors:
        return f"the disk is full: free 2.5 GB and run the command again ({last})."
    if _NETWORK.search(errors):
        return (
            "the Go module proxy cannot be reached: check the network or set GOPROXY, and run "
            f"the command again; what was downloaded is kept ({last})."
        )
    return f"Go could not build the Pulumi engine:\n{errors.strip()}"
