"""The parts of the real engine that need no vLLM: its hub, and what its installation asks for."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from localcloud.cluster import installation
from localcloud.cluster.installation import installed
from localcloud.cluster.ports import free_port
from localcloud.cluster.ray_environments import RayEnvironment
from localcloud.cluster.real_engine.hub import COMMIT, Hub
from localcloud.go_build import BuildError

Ask = Callable[[str], Awaitable[tuple[int, str, Any]]]


def asked(folder: Path, questions: Callable[[Ask], Awaitable[None]]) -> None:
    """Run questions to a hub whose model and faults are in the folder."""

    async def run() -> None:
        hub, port = Hub(folder / "model", folder / "faults.json"), free_port()
        await hub.start(port)
        try:
            async with aiohttp.ClientSession() as session:

                async def ask(path: str) -> tuple[int, str, Any]:
                    async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                        code = answer.headers.get("X-Error-Code", "")
                        text = await answer.text()
                        return answer.status, code, json.loads(text) if text[:1] in "{[" else text

                await questions(ask)
        finally:
            await hub.stop()

    asyncio.run(run())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("config")
    (tmp_path / "model" / "model.safetensors").write_text("weights")
    return tmp_path


def test_every_repository_has_the_model(folder: Path) -> None:
    async def questions(ask: Ask) -> None:
        for repository in ("Qwen/Qwen2.5-0.5B-Instruct", "acme/tuned"):
            _, _, about = await ask(f"/api/models/{repository}/revision/main")
            assert [each["rfilename"] for each in about["siblings"]] == [
                "config.json",
                "model.safetensors",
            ]
            assert about["sha"] == COMMIT
            _, _, tree = await ask(f"/api/models/{repository}/tree/main")
            assert [(each["path"], each["size"]) for each in tree] == [
                ("config.json", 6),
                ("model.safetensors", 7),
            ]
            assert await ask(f"/{repository}/resolve/main/config.json") == (200, "", "config")
        missing = await ask("/acme/tuned/resolve/main/no.json")
        assert missing[:2] == (404, "EntryNotFound")

    asked(folder, questions)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("missing", 401, "RepoNotFound"), ("gated", 403, "GatedRepo"), ("down", 503, "")],
)
def test_a_repository_fails_as_told(folder: Path, fault: str, status: int, code: str) -> None:
    (folder / "faults.json").write_text(json.dumps({"acme/x": fault}))

    async def questions(ask: Ask) -> None:
        assert (await ask("/api/models/acme/x/revision/main"))[:2] == (status, code)
        assert (await ask("/acme/x/resolve/main/config.json"))[:2] == (status, code)
        assert (await ask("/api/models/acme/y/revision/main"))[0] == 200

    asked(folder, questions)


def test_a_repository_may_be_without_weights(folder: Path) -> None:
    (folder / "faults.json").write_text(json.dumps({"acme/x": "without weights"}))

    async def questions(ask: Ask) -> None:
        _, _, about = await ask("/api/models/acme/x")
        assert [each["rfilename"] for each in about["siblings"]] == ["config.json"]
        assert (await ask("/acme/x/resolve/main/model.safetensors"))[0] == 404

    asked(folder, questions)


@pytest.fixture
def environment(tmp_path: Path) -> RayEnvironment:
    [found] = installed(["2.60.0"], "vllm").ray
    return replace(found, installed=tmp_path / "environment", megabytes=1)


def test_an_installation_without_a_compiler_stops_before_it_downloads(
    environment: RayEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localcloud.uv.program", lambda: "no-uv")
    monkeypatch.setattr("localcloud.cluster.installation.shutil.which", lambda _: None)
    output = io.StringIO()
    with pytest.raises(BuildError) as refused:
        installation._install_ray(environment, output)
    assert str(refused.value) == (
        "the environment of Ray 2.60.0 (vllm) is built with gcc, which is not on PATH: install it "
        "(Debian and Ubuntu: apt-get install gcc)."
    )
    assert output.getvalue() == ""


def test_the_real_engine_has_an_environment_of_its_own() -> None:
    """With the scripts that make its stubs and its model."""
    [stand_in] = installed(["2.60.0"]).ray
    [real] = installed(["2.60.0"], "vllm").ray
    assert (real.hub, stand_in.hub) == (True, False)
    assert [path.name for path in real.finish] == ["stub_libraries.py", "tiny_model.py"]
    assert all(path.is_file() for path in real.finish)
    assert real.installed != stand_in.installed
