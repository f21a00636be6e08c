"""The project is installed only into its own environment, and the hook runs from there."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.planning.small_stacks import small, values, write_stack

ROOT = Path(__file__).parents[1]
UV = ROOT / ".uv/bin/uv"
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


def test_a_wheel_is_refused_with_a_way_out(tmp_path: Path) -> None:
    done = subprocess.run(
        [UV, "build", "--wheel", "--out-dir", tmp_path, ROOT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert not list(tmp_path.glob("*.whl"))
    assert "ray-llm: is not built as a wheel" in done.stderr
    assert "run `uv sync`" in done.stderr
    assert "Traceback" not in done.stderr


def hook(
    repository: Path, *files: str, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the hook's script as pre-commit does: in the user's repository, with file names."""
    (entry,) = HOOKS
    assert entry["language"] == "script"
    return subprocess.run(
        [ROOT / entry["entry"], *files],
        cwd=repository,
        env={**os.environ, "PATH": path or f"{UV.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    write_stack(tmp_path, "good", values([small()], gpuPools=["l4"]))
    write_stack(tmp_path, "bad", values([small("l5")], gpuPools=["l4"]))
    return tmp_path


def test_the_hook_lets_a_good_stack_pass(repository: Path) -> None:
    done = hook(repository, "Pulumi.good.yaml")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_hook_stops_a_stack_that_cannot_be_deployed(repository: Path) -> None:
    done = hook(repository, "Pulumi.good.yaml", "Pulumi.bad.yaml")
    assert done.returncode == 1
    assert "Pulumi.bad.yaml: ray-llm:models[0].gpu: l5" in done.stderr


def test_the_hook_says_that_it_needs_uv(repository: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "env"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    done = hook(repository, "Pulumi.good.yaml", path=str(tools))
    assert done.returncode == 2
    assert "uv is not on PATH" in done.stderr
