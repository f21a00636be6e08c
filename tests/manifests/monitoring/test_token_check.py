"""What asks the hub about the token tells a refusal from a hub that does not answer."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from manifests.monitoring.token_check import PROGRAM, token_check
from tests.gateway.backend import Handler, Seen, running_backend
from tests.manifests.monitoring.stacks import monitored
from tests.manifests.plans import model

TOKEN = "hf_0123456789"


def check(hub: str, token: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"HUB": hub, "REPOSITORIES": "acme/open acme/gated", "TOKEN_FILE": str(token)},
        capture_output=True,
        text=True,
        check=False,
    )


def hub(status: int) -> Callable[[Handler, Seen], None]:
    def answer(handler: Handler, seen: Seen) -> None:
        gated = "gated" in seen.path
        known = ("Authorization", f"Bearer {TOKEN}") in seen.headers.items()
        handler.send(status if gated and known else 200, b"")

    return answer


@pytest.mark.parametrize(("status", "code"), [(200, 0), (401, 1), (403, 1), (404, 0), (503, 0)])
def test_only_a_refusal_is_a_failure(tmp_path: Path, status: int, code: int) -> None:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    with running_backend(hub(status)) as backend:
        done = check(f"http://127.0.0.1:{backend.port}", token)
    assert done.returncode == code, done.stderr
    assert ("acme/gated: the hub refuses the token" in done.stdout) == bool(code)
    assert TOKEN not in done.stdout + done.stderr


def test_a_hub_that_is_not_reached_and_a_missing_token_prove_nothing(tmp_path: Path) -> None:
    token = tmp_path / "token"
    assert check("http://127.0.0.1:9", token).returncode == 0
    token.write_text(TOKEN)
    done = check("http://127.0.0.1:9", token)
    assert done.returncode == 0
    assert "was not reached" in done.stdout


def test_it_asks_for_the_hubs_repositories_alone() -> None:
    models = (model(), model("b", source="gs://acme/b"), model("c", source="/models/c"))
    [cron_job] = token_check(monitored(models=models))
    [container] = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    values = {entry["name"]: entry["value"] for entry in container["env"]}
    assert values["REPOSITORIES"] == "Qwen/Qwen2.5-7B-Instruct"
    assert token_check(monitored(models=models[1:])) == ()
    assert token_check(monitored(has_hugging_face_token=False)) == ()
