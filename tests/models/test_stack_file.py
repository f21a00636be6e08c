"""Stack files are read as the Pulumi engine reads them, by the rules of Go's yaml.v3."""

from pathlib import Path
from typing import Any

import pytest

from models.stack_file import StackFileError, parse_stack_file, read_stack_file, stack_name

PATH = Path("Pulumi.test.yaml")


def value_of(text: str) -> Any:
    return parse_stack_file(f"config:\n  ray-llm:x: {text}\n", PATH).values["ray-llm:x"]


# The results of yaml.v3 3.0.1 and then encoding/json, compared with a Go program.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[
            (word, word)
            for word in ("yes", "no", "on", "off", "y", "tRue", "1:30", "_1", "0x", "=")
        ],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[(word, None) for word in ("~", "null", "Null", "NULL", "")],
        ("017", 15),
        ("0o17", 15),
        ("08", 8),
        ("0x1F", 31),
        ("0b11", 3),
        ("-0b11", -3),
        ("1_000", 1000),
        ("+1", 1),
        ("1e3", 1000),
        ("2.0", 2),
        (".5", 0.5),
        ("-1.25", -1.25),
        (".inf", float("inf")),
        ("'8192'", "8192"),
        ("2025-01-01", "2025-01-01"),
    ],
)
def test_scalars_are_read_as_yaml_v3_does(text: str, expected: Any) -> None:
    value = value_of(text)
    assert value == expected
    assert type(value) is type(expected)


def test_a_key_without_a_namespace_is_the_projects() -> None:
    assert parse_stack_file("config:\n  models: [a]\n", PATH).values == {"ray-llm:models": ["a"]}


def test_a_key_that_was_merged_may_be_written_again() -> None:
    text = "config:\n  a:base: &base {min: 1, max: 2}\n  a:own: {<<: *base, max: 3}\n"
    assert parse_stack_file(text, PATH).values["a:own"] == {"min": 1, "max": 3}


def test_encrypted_values_are_named_and_never_kept() -> None:
    file = parse_stack_file(
        "config:\n"
        "  ray-llm:huggingFaceToken: {secure: AAABAC}\n"
        "  ray-llm:models: [{engine: {x: {secure: AAABAD}}}]\n"
        "  ray-llm:service: {name: x}\n",
        PATH,
    )
    assert file.secret_keys == {"ray-llm:huggingFaceToken", "ray-llm:models"}
    assert "AAAB" not in str(file)
    assert file.values["ray-llm:service"] == {"name": "x"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: [1", "cannot be read as YAML (line "),
        ("config:\n  a: 1\n\tb: 2", "cannot be read as YAML (line 3, column 1"),
        ("config:\n  a: {x: 1, x: 2}\n", "(line 2, column 13: the key 'x' is written twice)"),
        ("config:\n  a:b: 1\n  a:b: 2\n", "(line 3, column 3: the key 'a:b' is written twice)"),
        ("config:\n  a: 1\n  ray-llm:a: 2\n", "config.ray-llm:a is written twice"),
        ("config:\n  a: {? [1] : 2}\n", "a key must be a text or a number"),
        ("config:\n  a: &a [*a]\n", "cannot be read as YAML"),
        ("config:\n  a: !!python/object:os.system x\n", "could not determine a constructor"),
        ("config:\n  a: " + "[" * 200_000, "more than 100 levels of nesting"),
        ("config:\n  " + "- " * 200_000, "more than 100 levels of nesting"),
        ("- a\n", "holds no mapping named config. Write `config:` and the keys below it."),
        ("config: 5\n", "holds no mapping named config."),
        ("a: 1\n---\nb: 2\n", "cannot be read as YAML (line 2"),
        ("\x00", "cannot be read as YAML"),
    ],
    ids=lambda text: text[:20].strip(),
)
def test_an_unreadable_file_is_reported_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(StackFileError) as raised:
        parse_stack_file(text, PATH)
    reported = str(raised.value)
    assert reported.startswith("Pulumi.test.yaml: ")
    assert message in reported
    assert "\n" not in reported


def test_aliases_that_multiply_are_refused() -> None:
    levels = "".join(
        f"  {chr(98 + level)}: &{chr(98 + level)} [{','.join(['*' + chr(97 + level)] * 9)}]\n"
        for level in range(9)
    )
    with pytest.raises(StackFileError, match="aliases that repeat too much"):
        parse_stack_file(f"config:\n  a: &a [x]\n{levels}", PATH)


def test_no_token_in_the_message_about_a_file() -> None:
    with pytest.raises(StackFileError) as raised:
        parse_stack_file("config:\n  a: {hf_abcdefghij: 1, hf_abcdefghij: 2}\n", PATH)
    assert "hf_abc" not in str(raised.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(StackFileError, match=r"there is no such file. Name a file that exists"):
        read_stack_file(tmp_path / "Pulumi.nope.yaml")
    binary = tmp_path / "Pulumi.dev.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StackFileError, match="is not UTF-8 text"):
        read_stack_file(binary)


@pytest.mark.parametrize("empty", ["", "config:\n", "config: {}\n", "# nothing\n"])
def test_a_file_without_keys_is_empty_not_broken(empty: str) -> None:
    assert parse_stack_file(empty, PATH).values == {}


def test_the_stacks_name_is_that_of_the_file() -> None:
    assert stack_name(Path("x/Pulumi.eu.prod.yaml")) == "eu.prod"
    assert stack_name(Path("other.yaml")) == "other"
