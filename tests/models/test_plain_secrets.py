"""Secrets in plain text anywhere in a configuration stop the plan and are read by nothing."""

from typing import Any

import pytest

from models.plain_secrets import plain_secret_problems, without_plain_secrets
from models.reading import read_stack

TOKEN = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
KEY = "AKIA" + "IOSFODNN7EXAMPLE"
TOKEN_KEY = "ray-llm:huggingFaceToken"
GOOD: dict[str, Any] = {
    "gcp:project": "acme-ml",
    "gcp:region": "us-central1",
    "ray-llm:cluster": {"name": "llm", "zones": ["us-central1-a"]},
    "ray-llm:gpuPools": ["l4"],
    "ray-llm:models": ["qwen2.5-7b-instruct"],
}


def found(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one.path, one.rule) for one in plain_secret_problems(values, TOKEN_KEY)]


def engine(**arguments: object) -> dict[str, Any]:
    return {"ray-llm:models": [{"model": "qwen2.5-7b-instruct", "engine": arguments}]}


PATH = "ray-llm:models[0].engine"


@pytest.mark.parametrize(
    ("values", "path", "rule"),
    [
        (
            engine(model_loader_extra_config={"a": [{"b": TOKEN}]}),
            f"{PATH}.model_loader_extra_config.a[0].b",
            "plain-token",
        ),
        (engine(hf_overrides={"x": KEY}), f"{PATH}.hf_overrides.x", "plain-secret"),
        (engine(tags=["a", f"key={KEY}"]), f"{PATH}.tags[1]", "plain-secret"),
        (engine(extra={KEY: 1}), f"{PATH}.extra.{KEY}", "plain-secret"),
        (engine(extra={"password": "x"}), f"{PATH}.extra.password", "plain-secret"),
        (engine(secret=["a1b2c3d4e5f6"]), f"{PATH}.secret[0]", "plain-secret"),
        (
            {"ray-llm:env": {"WANDB_API_KEY": "a1" * 20}},
            "ray-llm:env.WANDB_API_KEY",
            "plain-secret",
        ),
        ({"ray-llm:labels": {"owner": KEY}}, "ray-llm:labels.owner", "plain-secret"),
        ({f"ray-llm:{KEY}": 1}, f"ray-llm:{KEY}", "plain-secret"),
        (
            {"gcp:credentials": "-----BEGIN PRIVATE" + " KEY-----"},
            "gcp:credentials",
            "plain-secret",
        ),
        ({"ray-llm:models": [TOKEN]}, "ray-llm:models[0]", "plain-token"),
    ],
)
def test_a_secret_is_found_at_any_depth(values: dict[str, Any], path: str, rule: str) -> None:
    assert found(values) == [(path, rule)]


def test_the_tokens_own_key_is_not_reported_twice() -> None:
    assert found({TOKEN_KEY: TOKEN}) == []


def test_a_configuration_without_secrets_stays_as_it_is() -> None:
    assert found(GOOD) == []
    kept = without_plain_secrets(GOOD)
    assert kept == GOOD
    assert all(kept[key] is value for key, value in GOOD.items())


def test_what_is_read_holds_no_secret() -> None:
    values = engine(a={"b": f"x {TOKEN}", TOKEN: [1, KEY], "password": "swordfish", "c": 3})
    hidden = without_plain_secrets({**values, f"ray-llm:{KEY}": True})
    assert hidden == {
        **engine(
            a={"b": "x [secret]", "[secret]": [1, "[secret]"], "password": "[secret]", "c": 3}
        ),
        "ray-llm:[secret]": True,
    }


def test_the_given_values_are_not_changed() -> None:
    values = engine(a=TOKEN)
    without_plain_secrets(values)
    assert values == engine(a=TOKEN)


def test_nesting_without_end_is_hidden_and_not_a_traceback() -> None:
    deep: Any = TOKEN
    for _ in range(5000):
        deep = [deep]
    assert len(found({"ray-llm:x": deep})) == 1
    assert TOKEN not in repr(without_plain_secrets({"ray-llm:x": deep}))


def test_a_reading_reports_the_secret_and_does_not_keep_it() -> None:
    reading = read_stack(
        "x", {**GOOD, **engine(model_loader_extra_config={"k": {"password": "pw"}})}
    )
    assert [problem.rule for problem in reading.problems] == ["plain-secret"]
    assert "pw" not in repr(reading.settings)
    sentence = reading.problems[0].sentence()
    assert sentence.startswith(f"{PATH}.model_loader_extra_config.k.password: holds ")
    assert "Take it out" in sentence
