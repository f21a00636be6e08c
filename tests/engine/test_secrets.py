"""The Hugging Face token on the real engine: in the Secret, and nowhere else in plain text."""

import base64
from pathlib import Path

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
