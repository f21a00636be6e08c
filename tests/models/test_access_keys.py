"""Keys of the way in: where they may stand, what they may be, and that nothing repeats them."""

from pathlib import Path
from typing import Any

import pytest

from models.access_keys import as_in_file, key_problems, key_texts, sound_keys
from models.problems import Problem
from models.reading import Reading, read_stack
from models.stack_file import parse_stack_file
from tests.models.test_reading import GOOD

KEY = "search-0123456789abcdefghij"
OTHER = "support-0123456789abcdefghi"
SECURE = {"secure": "AAABAOKciphertext"}
PATH = Path("Pulumi.dev.yaml")


def read(**access: Any) -> Reading:
    return read_stack("dev", {**GOOD, "ray-llm:access": access})


def said(problems: tuple[Problem, ...]) -> str:
    return "\n".join(problem.sentence() for problem in problems)


def test_both_forms_of_a_key_are_read_and_no_value_is_kept() -> None:
    long = {"key": SECURE, "models": ["a"], "requestsPerMinute": 60}
    reading = read(exposure="internal", keys={"search": SECURE, "support": long})
    assert reading.problems == ()
    assert reading.settings is not None
    access = reading.settings.access
    assert access is not None
    assert list(access.keys) == ["search", "support"]
    assert (access.keys["search"].models, access.keys["search"].requests_per_minute) == (None, None)
    assert access.keys["support"].models == ("a",)
    assert access.keys["support"].requests_per_minute == 60
    assert "ciphertext" not in repr(reading) + repr(reading.values)


def test_a_stack_file_s_encrypted_keys_reach_the_reading() -> None:
    file = parse_stack_file(
        "config:\n  ray-llm:access:\n    host: a.b\n    keys: {search: {secure: AAA}}\n", PATH
    )
    assert file.secret_keys == {"ray-llm:access"}
    reading = read_stack("dev", {**GOOD, **file.values}, file.secret_keys)
    assert reading.problems == ()
    assert reading.settings is not None
    assert reading.settings.access is not None
    assert reading.settings.access.host == "a.b"


def test_a_section_that_is_encrypted_as_a_whole_cannot_be_planned() -> None:
    file = parse_stack_file("config:\n  ray-llm:access: {secure: AAA}\n", PATH)
    reading = read_stack("dev", {**GOOD, **file.values}, file.secret_keys)
    (problem,) = reading.problems
    assert problem.rule == "misplaced-secret"
    assert "is encrypted as a whole" in problem.reason
    assert not reading.access_complete


@pytest.mark.parametrize(
    ("access", "path"),
    [
        ({"host": SECURE}, "ray-llm:access.host"),
        ({"keys": SECURE}, "ray-llm:access.keys"),
        (
            {"keys": {"search": {"key": SECURE, "models": [SECURE]}}},
            "ray-llm:access.keys.search.models[0]",
        ),
        ({"limits": {"requestsPerMinute": SECURE}}, "ray-llm:access.limits.requestsPerMinute"),
    ],
)
def test_only_keys_may_be_encrypted(access: dict[str, Any], path: str) -> None:
    misplaced = [problem for problem in read(**access).problems if problem.path == path]
    assert "misplaced-secret" in {problem.rule for problem in misplaced}


@pytest.mark.parametrize(
    "keys",
    [
        {"search": KEY},
        {"search": {"key": KEY}},
        {"search": {"key": {"value": KEY}}},
        {"search": {"key": [KEY]}},
        {"search": [KEY]},
        [KEY],
        KEY,
        {"search": {"kye": KEY}},
        {"search": {"key": SECURE, "comment": KEY}},
    ],
)
def test_a_key_in_plain_text_stops_and_is_shown_nowhere(keys: Any) -> None:
    reading = read(keys=keys)
    assert reading.problems
    assert KEY not in said(reading.problems) + repr(reading) + repr(reading.values)


def test_a_plain_key_under_a_misspelt_name_is_not_shown() -> None:
    reading = read(key={"search": KEY}, tokens=KEY)
    assert "unknown-key" in {problem.rule for problem in reading.problems}
    assert KEY not in said(reading.problems) + repr(reading.values)


def test_the_problem_of_a_plain_key_says_how_to_make_another() -> None:
    (problem,) = read(keys={"search": KEY}).problems
    assert problem.rule == "plain-secret"
    assert problem.sentence() == (
        "ray-llm:access.keys.search: is in plain text in the stack file. Make a key, with `openssl "
        "rand -hex 32 | pulumi config set --secret --path ray-llm:access.keys.search`; the key "
        "that was written here is known now and must not be used."
    )


@pytest.mark.parametrize(
    "entry", [None, {}, {"models": ["a"]}, {"secure": ""}, {"key": {"secure": None}}]
)
def test_a_team_needs_a_key(entry: Any) -> None:
    (problem,) = read(keys={"search": entry}).problems
    assert problem.rule == "missing-key"


def test_no_keys_written_out_is_no_permission_for_all() -> None:
    reading = read(keys={})
    (problem,) = reading.problems
    assert problem.rule == "empty-list"
    assert not reading.access_complete


@pytest.mark.parametrize("keys", [{}, {"search": None}, {"search": {}}])
def test_letting_everybody_in_is_not_the_only_way_out(keys: Any) -> None:
    (problem,) = read(keys=keys).problems
    assert any(not way.edits and "a key" in way.words for way in problem.candidates)


def test_a_section_in_one_text_is_not_shown() -> None:
    """As `pulumi config set ray-llm:access TEXT` writes it."""
    text = f'{{"keys": {{"search": "{KEY}"}}}}'
    reading = read_stack("dev", {**GOOD, "ray-llm:access": text})
    assert KEY not in said(reading.problems) + repr(reading.values)


def test_keys_that_are_encrypted_together_are_not_to_be_written_in_plain_text() -> None:
    (problem,) = read(keys=SECURE).problems
    assert problem.rule == "misplaced-secret"
    assert "encrypt each key by itself" in problem.remedy


@pytest.mark.parametrize("name", ["X Y/z", "projects/p/global/securityPolicies/a", "1a"])
def test_a_security_policy_has_a_name_of_compute_engine(name: str) -> None:
    (problem,) = read(exposure="external", keys={"a": SECURE}, securityPolicy=name).problems
    assert problem.path == "ray-llm:access.securityPolicy"


def test_a_broken_part_hides_nothing_about_the_others() -> None:
    reading = read(
        exposure="intern",
        host=5,
        keys={"search": {"key": SECURE, "requestsPerMinute": 0}, "support": SECURE},
    )
    assert {problem.path for problem in reading.problems} == {
        "ray-llm:access.exposure",
        "ray-llm:access.host",
        "ray-llm:access.keys.search.requestsPerMinute",
    }
    assert reading.settings is not None
    assert reading.settings.access is not None
    assert list(reading.settings.access.keys) == ["support"]
    assert not reading.access_complete


def test_the_name_of_a_team_is_a_label() -> None:
    (problem,) = read(keys={"Search Team": SECURE}).problems
    assert problem.path == "ray-llm:access.keys.Search Team"
    assert [way.words for way in problem.candidates] == ["did you mean search-team?"]


def test_a_section_without_anything_is_a_gateway() -> None:
    reading = read()
    assert reading.problems == ()
    assert reading.settings is not None
    assert reading.settings.access is not None
    without = read_stack("dev", GOOD)
    assert without.settings is not None
    assert without.settings.access is None


def test_what_the_engine_decrypts_is_taken_back_to_the_form_of_the_file() -> None:
    decrypted = {"host": "a.b", "keys": {"search": KEY, "support": {"key": OTHER, "models": ["m"]}}}
    in_file = {"host": "a.b", "keys": {"search": SECURE, "support": {"key": SECURE}}}
    hidden = {
        "host": "a.b",
        "keys": {
            "search": {"secure": "[secret]"},
            "support": {"key": {"secure": "[secret]"}, "models": ["m"]},
        },
    }
    assert as_in_file(decrypted, in_file) == hidden
    assert as_in_file(decrypted, None) == hidden
    assert key_texts(decrypted) == {"search": KEY, "support": OTHER}


def test_a_key_that_the_file_has_in_plain_text_is_not_taken_for_encrypted() -> None:
    decrypted = {"keys": {"search": KEY, "support": OTHER}}
    in_file = {"keys": {"search": KEY, "support": SECURE}}
    assert as_in_file(decrypted, in_file) == {
        "keys": {"search": "[secret]", "support": {"secure": "[secret]"}}
    }


def test_without_a_file_only_places_without_secrets_are_shown() -> None:
    decrypted = {"key": KEY, "keys": {"search": {"kye": OTHER}}, "maxBodyMib": 8}
    shown = as_in_file(decrypted, None)
    assert KEY not in str(shown)
    assert OTHER not in str(shown)
    assert "8" in str(shown)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (KEY[:23], "shorter than 24"),
        ("with a blank 0123456789abcdef", "a blank"),
        (f"{KEY}\n", "a line end"),
        (f"{KEY}é", "outside of visible ASCII"),
        ("", "empty"),
        ("  ", "empty"),
        (12345, "not a text"),
        (None, "not a text"),
        ({"a": KEY}, "not a text"),
        ("x" * 513, "longer than 512"),
    ],
)
def test_a_text_that_cannot_be_a_key_is_named_by_its_team_alone(text: Any, reason: str) -> None:
    (problem,) = key_problems({"search": text})
    assert problem.path == "ray-llm:access.keys.search"
    assert problem.rule == "access-key-value"
    assert reason in problem.reason
    assert not isinstance(text, str) or not text.strip() or text.strip() not in repr(problem)
    assert sound_keys({"search": text, "support": OTHER}) == {"support": OTHER}


def test_two_keys_with_one_value_are_refused_without_it() -> None:
    (problem,) = key_problems({"search": KEY, "support": OTHER, "third": KEY})
    assert problem.rule == "access-key-twice"
    assert problem.path == "ray-llm:access.keys.third"
    assert "the key of search" in problem.reason
    assert KEY not in repr(problem)
