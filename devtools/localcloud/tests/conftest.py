"""Fixtures for small Pulumi programs, each in a separate local cloud."""

import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.cloud import LocalCloud, Project
from localcloud.store import CHECKOUT
from localcloud.testing.programs import Program


@pytest.fixture
def cloud(tmp_path: Path) -> LocalCloud:
    return LocalCloud(tmp_path / "cloud", token_key="app:token")


@pytest.fixture
def program(tmp_path: Path, cloud: LocalCloud) -> Program:
    """Write a program (again) and return its project; stack `dev`, region us-central1."""

    def write(source: str, name: str = "program", stack_file: str | None = None) -> Project:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n", encoding="utf-8")
        default = "config:\n  gcp:project: acme-ml\n  gcp:region: us-central1\n"
        (folder / "Pulumi.dev.yaml").write_text(stack_file or default, encoding="utf-8")
        (folder / "__main__.py").write_text(textwrap.dedent(source), encoding="utf-8")
        return cloud.project(folder)

    return write


@pytest.fixture
def provider_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for a provider that is used without an engine."""
    monkeypatch.setenv("RAY_LLM_LOCALCLOUD", str(tmp_path))
    monkeypatch.setenv("RAY_LLM_LOCALCLOUD_RUN", "test")
    cache = CHECKOUT / ".localcloud" / "cache"
    monkeypatch.setenv("RAY_LLM_LOCALCLOUD_CACHE", str(cache))
    for variable in ("GOOGLE_PROJECT", "GOOGLE_REGION", "GOOGLE_ZONE", "KUBECONFIG"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture
def ignoring_interrupts() -> Iterator[None]:
    """This process ignores SIGINT, as one that a script starts in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)
