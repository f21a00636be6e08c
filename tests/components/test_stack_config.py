"""What is read from the engine's configuration, and what must never leave it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import set_all_config

from components import StackConfig
from models.reading import Reading
from tests.components.programs import Record

TOKEN = "hf_QfYvTz0123456789"
LONG_TOKEN = f"hf_{'QfYvTz0123456789' * 2}"
GOOD: Mapping[str, Any] = {
    "gcp:project": "acme-ml",
    "gcp:region": "us-central1",
    "ray-llm:cluster": {"name": "llm-test", "zones": ["us-central1-a"]},
    "ray-llm:gpuPools": ["l4"],
    "ray-llm:models": ["qwen2.5-0.5b-instruct"],
}


def configure(values: Mapping[str, Any], secret: tuple[str, ...] = ()) -> None:
    """Set configuration as the engine does: mappings and lists as JSON, strings unchanged."""
    texts = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()
    }
    set_all_config(texts, list(secret))


@pytest.fixture(autouse=True)
def _running_stack(record: Record) -> Any:
    record(lambda: None)
    yield
    set_all_config({}, [])


def reading(values: Mapping[str, Any], secret: tuple[str, ...] = ()) -> Reading:
    configure(values, secret)
    return StackConfig.of_running_stack().reading


def problems(values: Mapping[str, Any], secret: tuple[str, ...] = ()) -> str:
    return "\n".join(problem.sentence() for problem in reading(values, secret).problems)


def test_good_stack_is_read() -> None:
    read = reading(GOOD)
    assert read.problems == ()
    assert read.settings is not None
    assert read.settings.project == "acme-ml"
    assert [pool.id for pool in read.settings.gpu_pools] == ["l4"]


def test_unknown_key_is_seen_although_nothing_reads_it() -> None:
    assert "ray-llm:gpuPolls" in problems({**GOOD, "ray-llm:gpuPolls": ["l4"]})


def test_keys_of_others_are_none_of_ours() -> None:
    assert problems({**GOOD, "aws:region": "eu-west-1", "other:thing": "1"}) == ""


def test_project_of_digits_stays_a_text() -> None:
    settings = reading({**GOOD, "gcp:project": "1234567890"}).settings
    assert settings is not None
    assert settings.project == "1234567890"


def test_encrypted_token_leaves_as_a_secret_output(record: Record) -> None:
    configure({**GOOD, "ray-llm:huggingFaceToken": TOKEN}, ("ray-llm:huggingFaceToken",))
    config = StackConfig.of_running_stack()
    assert config.reading.settings is not None
    assert config.reading.settings.has_hugging_face_token
    token = config.hugging_face_token
    assert token is not None

    @pulumi.runtime.test
    def awaited() -> Any:
        async def look() -> tuple[str | None, bool]:
            return await token.future(), await token.is_secret()

        return pulumi.Output.from_input(look()).apply(seen.append)

    seen: list[Any] = []
    awaited()
    assert seen == [(TOKEN, True)]


@pytest.mark.parametrize("blank", ["", "  "])
def test_blank_token_is_none(blank: str) -> None:
    configure({**GOOD, "ray-llm:huggingFaceToken": blank}, ("ray-llm:huggingFaceToken",))
    config = StackConfig.of_running_stack()
    assert config.hugging_face_token is None
    assert config.reading.settings is not None
    assert not config.reading.settings.has_hugging_face_token


def test_token_in_plain_text_is_refused_and_not_repeated() -> None:
    reported = problems({**GOOD, "ray-llm:huggingFaceToken": TOKEN})
    assert "is in plain text" in reported
    assert TOKEN not in reported


def test_a_nested_secret_in_plain_text_is_refused_and_not_kept() -> None:
    engine = {"model_loader_extra_config": {"auth": [f"token={LONG_TOKEN}"]}}
    values = {**GOOD, "ray-llm:models": [{"model": "qwen2.5-0.5b-instruct", "engine": engine}]}
    read = reading(values)
    assert [problem.rule for problem in read.problems] == ["plain-token"]
    assert LONG_TOKEN not in repr(read)
    with pytest.raises(pulumi.RunError) as stopped:
        StackConfig.of_running_stack().announced_plan()
    assert LONG_TOKEN not in str(stopped.value)


def test_encrypted_values_of_other_keys_never_enter() -> None:
    values = {**GOOD, "ray-llm:models": [{"model": "a", "name": "s3cret-name"}]}
    read = reading(values, ("ray-llm:models",))
    assert "ray-llm:models: is or holds an encrypted value" in "\n".join(
        problem.sentence() for problem in read.problems
    )
    assert "s3cret-name" not in repr(read)


def test_unreadable_json_is_shown_as_the_text_that_it_is() -> None:
    assert "ray-llm:models: qwen2.5-0.5b-instruct is not a list" in problems(
        {**GOOD, "ray-llm:models": "qwen2.5-0.5b-instruct"}
    )


def test_all_problems_end_the_run_before_anything_is_registered(record: Record) -> None:
    bad = {
        **GOOD,
        "ray-llm:gpuPools": ["l5"],
        "ray-llm:models": [{"model": "qwen2.5-0.5b-instruct", "contextlength": 1}],
        "ray-llm:surprise": True,
    }
    configure(bad)

    def program() -> None:
        StackConfig.of_running_stack().announced_plan()

    with pytest.raises(pulumi.RunError) as stopped:
        program()
    reported = str(stopped.value)
    assert reported.startswith("Pulumi.test.yaml: 3 problems")
    for path in ("gpuPools[0].tier", "models[0].contextlength", "ray-llm:surprise"):
        assert path in reported


def test_environment_variables_serve_hosts_that_set_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in GOOD.items()}
    texts["ray-llm:huggingFaceToken"] = TOKEN
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(texts))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps(["ray-llm:huggingFaceToken"]))
    set_all_config({}, [])
    config = StackConfig.of_running_stack()
    assert config.reading.problems == ()
    assert config.hugging_face_token is not None


KEYS = {"search": f"search-{'0123456789' * 2}", "support": f"support-{'0123456789' * 2}"}
ACCESS = "ray-llm:access"
ENCRYPTED_IN_FILE = (
    "config:\n  ray-llm:access:\n    keys:\n      search: {secure: AAAB}\n"
    "      support: {key: {secure: AAAC}, models: [qwen2.5-0.5b-instruct]}\n"
)


def decrypted(**changes: Any) -> dict[str, Any]:
    """The section as the engine hands it over once one value in it is encrypted."""
    support = {"key": KEYS["support"], "models": ["qwen2.5-0.5b-instruct"]}
    return {**GOOD, ACCESS: {"keys": {"search": KEYS["search"], "support": support, **changes}}}


@pytest.fixture
def file_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the stack file of the program that runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / f"Pulumi.{pulumi.get_stack()}.yaml"


@pytest.mark.parametrize("text", [None, ENCRYPTED_IN_FILE])
def test_keys_leave_as_secret_outputs_and_settings_hold_none(
    file_beside: Path, text: str | None
) -> None:
    if text is not None:
        file_beside.write_text(text)
    configure(decrypted(), (ACCESS,))
    config = StackConfig.of_running_stack()
    assert config.reading.problems == ()
    assert config.reading.settings is not None
    assert config.reading.settings.access is not None
    assert set(config.reading.settings.access.keys) == {"search", "support"}
    assert not any(key in repr(config) + repr(config.reading.values) for key in KEYS.values())

    @pulumi.runtime.test
    def awaited() -> Any:
        async def look() -> dict[str, tuple[str | None, bool]]:
            return {
                team: (await key.future(), await key.is_secret())
                for team, key in config.access_keys.items()
            }

        return pulumi.Output.from_input(look()).apply(seen.update)

    seen: dict[str, Any] = {}
    awaited()
    assert seen == {team: (key, True) for team, key in KEYS.items()}


def test_a_plain_key_beside_an_encrypted_one_is_found_by_the_stack_file(file_beside: Path) -> None:
    file_beside.write_text(ENCRYPTED_IN_FILE.replace("{secure: AAAB}", KEYS["search"]))
    read = reading(decrypted(), (ACCESS,))
    assert [(problem.path, problem.rule) for problem in read.problems] == [
        ("ray-llm:access.keys.search", "plain-secret")
    ]
    assert KEYS["search"] not in repr(read) + "".join(p.sentence() for p in read.problems)


def test_keys_that_are_all_in_plain_text_are_found_without_a_stack_file(file_beside: Path) -> None:
    read = reading(decrypted())
    assert {problem.rule for problem in read.problems} == {"plain-secret"}
    assert len(read.problems) == 2
    assert StackConfig.of_running_stack().access_keys == {}


@pytest.mark.parametrize("bad", ["tiny-1", f"{KEYS['search']} ", KEYS["support"]])
def test_a_bad_key_ends_the_run_without_its_value(file_beside: Path, bad: str) -> None:
    configure(decrypted(search=bad), (ACCESS,))
    with pytest.raises(pulumi.RunError) as stopped:
        StackConfig.of_running_stack().announced_plan()
    assert "ray-llm:access.keys.s" in str(stopped.value)
    assert bad.strip() not in str(stopped.value)
