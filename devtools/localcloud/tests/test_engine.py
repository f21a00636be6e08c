"""Which engine is used, tested with fake commands."""

import io
import os
from pathlib import Path

import pytest

from localcloud.engine import SHIM_MARK, EngineError, build_key, engine, sdk_version


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH besides the shell's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin")
    monkeypatch.setattr("shutil.which", _which_only(folder))
    return folder


def _which_only(folder: Path) -> object:
    return lambda name, **_: str(folder / name) if (folder / name).exists() else None


def command(folder: Path, name: str, script: str) -> Path:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_a_pulumi_on_path_is_used(path: Path, tmp_path: Path) -> None:
    pulumi = command(path, "pulumi", f"echo v{sdk_version()}")
    assert engine(tmp_path / "cache") == pulumi


def test_the_shells_own_pulumi_is_passed_over(path: Path, tmp_path: Path) -> None:
    command(path, "pulumi", f"{SHIM_MARK}\necho v99.0.0")
    with pytest.raises(EngineError, match="no `go`"):
        engine(tmp_path / "cache", io.StringIO())


@pytest.mark.parametrize(
    ("script", "reason"),
    [("echo v3.1.0", "is older than the SDK's"), ("exit 1", "does not print its version")],
)
def test_an_unfit_pulumi_is_named_and_passed_over(
    path: Path, tmp_path: Path, script: str, reason: str
) -> None:
    pulumi = command(path, "pulumi", script)
    said = io.StringIO()
    with pytest.raises(EngineError):
        engine(tmp_path / "cache", said)
    assert f"{pulumi} is not used" in said.getvalue()
    assert reason in said.getvalue()


def test_without_go_the_message_names_both_ways(path: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"install Go 1\.26 .* put a `pulumi`"):
        engine(tmp_path / "cache", io.StringIO())


def test_a_go_that_is_too_old_is_refused(path: Path, tmp_path: Path) -> None:
    command(path, "go", "echo go1.21.0")
    with pytest.raises(EngineError, match=r"go1\.21\.0"):
        engine(tmp_path / "cache", io.StringIO())


def test_a_failed_build_leaves_nothing_to_be_used(path: Path, tmp_path: Path) -> None:
    command(
        path,
        "go",
        'case "$1" in env) [ "$2" = GOVERSION ] && echo go1.26.0 || echo /tmp;;\n'
        '*) while [ "$1" != -o ]; do shift; done; echo half > "$2"\n'
        'echo "dial tcp 127.0.0.1:1: connection refused" >&2; exit 1;; esac',
    )
    with pytest.raises(EngineError, match="proxy cannot be reached"):
        engine(tmp_path / "cache", io.StringIO())
    folder = tmp_path / "cache" / "engine" / build_key()
    assert not (folder / "pulumi").exists()


def test_a_build_is_kept(path: Path, tmp_path: Path) -> None:
    count = tmp_path / "builds"
    command(
        path,
        "go",
        'case "$1" in env) [ "$2" = GOVERSION ] && echo go1.26.0 || echo /tmp;;\n'
        f'*) echo x >> {count}; while [ "$1" != -o ]; do shift; done; echo whole > "$2";; esac',
    )
    first = engine(tmp_path / "cache", io.StringIO())
    assert engine(tmp_path / "cache", io.StringIO()) == first
    assert first.read_text() == "whole\n"
    assert count.read_text() == "x\n"
