"""Stack files that cannot work, on the real engine: one message, and nothing is created."""

from pathlib import Path
from typing import Any

import pytest

from reports.pulumi_preview import engine_preview
from tests.engine.deployments import TOKEN, Deployment, shipped_config

pytestmark = pytest.mark.engine


def test_all_problems_of_a_file_are_reported_at_once_and_nothing_is_created(tmp_path: Path) -> None:
    config = shipped_config("dev")
    config["ray-llm:cluster"]["zones"] = ["europe-west4-a"]
    config["ray-llm:models"] = [
        {"model": "qwen2.5-0.5b-instruct", "contextLength": 65536},
        {"model": "qwen2.5-1.5b-instruct", "gpu": "l4", "contxtLength": 4096},
        {"model": "no-such-model"},
        {"model": "qwen2.5-0.5b-instruct", "name": "a", "engine": {"served_model_name": "b"}},
    ]
    deployment = Deployment(tmp_path, "dev", config)
    for command in ("preview", "up"):
        done = deployment.pulumi(command)
        text = done.stdout + done.stderr
        assert done.returncode != 0
        assert "Traceback" not in text
        for decisive in (
            "ray-llm:cluster.zones[0]: europe-west4-a is outside the region us-central1",
            "ray-llm:models[0].contextLength: 65536 is beyond the model's own limit of 32768",
            "ray-llm:models[1].contxtLength: is not a known key. Did you mean contextLength?",
            "ray-llm:models[2].model: no-such-model is not in the catalogue",
            "ray-llm:models[3].engine.served_model_name: is set by this program",
        ):
            assert decisive in text
    assert deployment.existing() == set()
    assert not deployment.cloud.journal()


@pytest.mark.parametrize(
    ("config", "decisive"),
    [
        (
            {"gcp:project": "acme", "gcp:region": "us-central1"},
            "the stack file has no such section",
        ),
        (
            {**shipped_config("dev"), "ray-llm:models": "qwen2.5-0.5b-instruct"},
            "ray-llm:models: qwen2.5-0.5b-instruct is not a list",
        ),
        ({**shipped_config("dev"), "ray-llm:models": []}, "ray-llm:models: [] is empty"),
        (
            {**shipped_config("dev"), "ray-llm:huggingFaceToken": TOKEN},
            "ray-llm:huggingFaceToken: is in plain text",
        ),
    ],
)
def test_a_stack_file_of_the_wrong_form_is_one_sentence(
    config: dict[str, Any], decisive: str, tmp_path: Path
) -> None:
    deployment = Deployment(tmp_path, "dev", config)
    deployment.cloud.token = None
    done = deployment.preview()
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert decisive in text
    assert "Traceback" not in text
    assert TOKEN not in text


def test_a_gated_model_without_a_token_is_refused(tmp_path: Path) -> None:
    config = shipped_config("dev")
    config["ray-llm:models"] = [{"model": "llama-3.2-1b-instruct"}]
    deployment = Deployment(tmp_path, "dev", config)
    assert deployment.preview().returncode == 0
    deployment.cloud.token = None
    done = deployment.preview()
    assert done.returncode != 0
    assert "is gated on Hugging Face, and the stack has no token" in done.stdout + done.stderr


def test_an_adopted_cluster_that_is_not_there_is_one_sentence_for_people_and_in_json(
    tmp_path: Path,
) -> None:
    config = shipped_config("dev")
    config["ray-llm:cluster"] = {"name": "lost", "existing": True, "zones": ["us-central1-a"]}
    deployment = Deployment(tmp_path, "dev", config)
    done = deployment.preview()
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    decisive = "cluster lost in us-central1 of project acme-ml-dev cannot be adopted"
    assert decisive in done.stdout + done.stderr

    # A preview that fails prints its diagnostics on standard output, and ends with 1.
    printed = deployment.pulumi("preview", "--json")
    assert (printed.returncode, printed.stderr) == (1, "")
    [error] = engine_preview(printed.stdout, "preview.json").errors
    assert decisive in error
    assert "Traceback" not in error
    assert deployment.existing() == set()
