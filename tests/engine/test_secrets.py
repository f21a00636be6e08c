"""The Hugging Face token and the keys of teams on the real engine: nowhere in plain text."""

import base64
from pathlib import Path
from typing import Any

import pytest

from localcloud.providers.kubernetes.objects import digested
from tests.engine.deployments import TOKEN, Deployment, shipped_config

pytestmark = pytest.mark.engine
# The API server stores and returns the token in base64.
FORMS = (TOKEN, base64.b64encode(TOKEN.encode()).decode())


def _without_token(text: str) -> bool:
    return not any(form in text for form in FORMS)


def test_the_token_reaches_the_secret_and_no_other_place(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, "prod", shipped_config("prod"))
    outputs = [
        deployment.pulumi("preview", "--diff"),
        deployment.pulumi("preview", "--json"),
        deployment.up(),
        deployment.pulumi("stack", "output", "--json"),
        deployment.pulumi("stack", "export"),
        deployment.pulumi("up", "--debug"),
    ]
    assert all(done.returncode == 0 for done in outputs)
    assert all(_without_token(done.stdout + done.stderr) for done in outputs)

    # The stand-in keeps only digests of a Secret's values, so its files can be searched too.
    objects = deployment.cloud.cloud_objects()
    (secret,) = [entry for key, entry in objects.items() if "|Secret|ai|huggingface-" in key]
    sent = {"data": {"token": base64.b64encode(TOKEN.encode()).decode()}}
    assert secret["object"]["data"] == digested(sent)["data"]

    leaks = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and any(form.encode() in path.read_bytes() for form in FORMS)
    ]
    assert leaks == []


def test_a_failing_secret_does_not_show_the_token_in_its_error(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, "dev", shipped_config("dev"))
    done = deployment.up(
        faults=[{"type": "kubernetes:core/v1:Secret", "fail": "the API server is unwell"}]
    )
    assert done.returncode != 0
    assert "the API server is unwell" in done.stdout + done.stderr
    assert _without_token(done.stdout + done.stderr)


KEYS = {
    "search": "search-key-that-must-not-leak-0123456789",
    "support": "support-key-that-must-not-leak-012345678",
}
KEY_FORMS = tuple(
    form for key in KEYS.values() for form in (key, base64.b64encode(key.encode()).decode())
)


def _with_keys(folder: Path, **further: Any) -> Deployment:
    """A dev stack with a key alone, one beside what it may do, and others.

    The secrets stand there in plain text, which the local cloud encrypts in its copy.
    """
    keys = {
        "search": {"secure": KEYS["search"]},
        "support": {"key": {"secure": KEYS["support"]}, "requestsPerMinute": 60},
        **further,
    }
    access = {"exposure": "internal", "keys": keys}
    return Deployment(folder, "dev", {**shipped_config("dev"), "ray-llm:access": access})


def _without_keys(text: str) -> bool:
    return not any(form in text for form in KEY_FORMS)


def test_the_keys_of_teams_reach_no_place_in_plain_text(tmp_path: Path) -> None:
    deployment = _with_keys(tmp_path)
    outputs = [
        deployment.pulumi("preview", "--diff"),
        deployment.pulumi("preview", "--json"),
        deployment.up(),
        deployment.pulumi("stack", "output", "--json"),
        deployment.pulumi("stack", "export"),
        deployment.pulumi("up", "--debug"),
    ]
    assert all(done.returncode == 0 for done in outputs), outputs[0].stdout + outputs[0].stderr
    assert all(_without_keys(done.stdout + done.stderr) for done in outputs)
    shown = " ".join((outputs[0].stdout + outputs[0].stderr).split())
    assert "support: all models, 60 requests a minute" in shown

    leaks = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file()
        and path.parent != deployment.folder
        and any(form.encode() in path.read_bytes() for form in KEY_FORMS)
    ]
    assert leaks == []


def test_wrong_keys_stop_the_preview_and_are_not_shown(tmp_path: Path) -> None:
    short = KEYS["search"][:20]
    twice, guessed = {"secure": KEYS["search"]}, {"key": {"secure": short}}
    done = _with_keys(tmp_path, third=twice, fourth=guessed).preview()
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "ray-llm:access.keys.third: has the same value as the key of search" in said
    assert "ray-llm:access.keys.fourth: is shorter than 24 characters" in said
    assert _without_keys(said)
    assert short not in said


def test_keys_in_plain_text_stop_the_preview_and_are_not_shown(tmp_path: Path) -> None:
    access = {"keys": {"search": KEYS["search"], "support": {"key": KEYS["support"]}}}
    config = {**shipped_config("dev"), "ray-llm:access": access}
    done = Deployment(tmp_path, "dev", config).preview()
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "ray-llm:access.keys.search: is in plain text in the stack file" in said
    assert "ray-llm:access.keys.support.key: is in plain text in the stack file" in said
    assert _without_keys(said)
