"""The Hugging Face token and the keys of teams on the real engine: nowhere in plain text."""

import base64
from pathlib import Path

import pytest
import yaml

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


def _with_two_keys(folder: Path) -> Deployment:
    """A dev stack with a key alone and one beside what it may do, set as a person sets them."""
    access = {"exposure": "internal", "keys": {"support": {"requestsPerMinute": 60}}}
    deployment = Deployment(folder, "dev", {**shipped_config("dev"), "ray-llm:access": access})
    for path, team in (("keys.search", "search"), ("keys.support.key", "support")):
        _set_key(deployment, path, KEYS[team])
    return deployment


def _set_key(deployment: Deployment, path: str, key: str) -> None:
    done = deployment.pulumi("config", "set", "--secret", "--path", f"ray-llm:access.{path}", key)
    assert done.returncode == 0, done.stdout + done.stderr


def _without_keys(text: str) -> bool:
    return not any(form in text for form in KEY_FORMS)


def test_the_keys_of_teams_reach_no_place_in_plain_text(tmp_path: Path) -> None:
    deployment = _with_two_keys(tmp_path)
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
    assert "support: all models, 60 requests a minute" in " ".join(outputs[0].stdout.split())

    leaks = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and any(form.encode() in path.read_bytes() for form in KEY_FORMS)
    ]
    assert leaks == []


def test_wrong_keys_stop_the_preview_and_are_not_shown(tmp_path: Path) -> None:
    deployment = _with_two_keys(tmp_path)
    _set_key(deployment, "keys.third", KEYS["search"])
    _set_key(deployment, "keys.fourth", KEYS["search"][:20])
    done = deployment.preview()
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "ray-llm:access.keys.third: has the same value as the key of search" in said
    assert "ray-llm:access.keys.fourth: is shorter than 24 characters" in said
    assert _without_keys(said)
    assert KEYS["search"][:20] not in said


def test_a_key_in_plain_text_beside_an_encrypted_one_stops_the_preview(tmp_path: Path) -> None:
    deployment = _with_two_keys(tmp_path)
    file = deployment.folder / "Pulumi.dev.yaml"
    config = yaml.safe_load(file.read_text("utf-8"))
    config["config"]["ray-llm:access"]["keys"]["third"] = f"third-{KEYS['search']}"
    file.write_text(yaml.safe_dump(config), "utf-8")
    done = deployment.preview()
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "ray-llm:access.keys.third: is in plain text in the stack file" in said
    assert _without_keys(said)
