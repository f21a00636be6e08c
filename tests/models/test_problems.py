"""A problem is one printable line with path, value, reason and remedy, but never a token."""

import pytest

from models.problems import Problem, Severity, StackError, stops, without_secrets

TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"


def sentence(**fields: object) -> str:
    defaults = {"path": "p", "reason": "is wrong", "remedy": "Change it", "rule": "memory-fit"}
    return Problem(**{**defaults, **fields}).sentence()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "true "),
        (8, "8 "),
        ("l4", "l4 "),
        ("", "'' "),
        (" x", "' x' "),
        ({"a": 1}, "a mapping "),
        ([1], "a list "),
        (1.5, "1.5 "),
        (10**4000, "a number of more than 77 digits "),
        ("a" * 100, f"{'a' * 77}... "),
        ("\x1b[31mred\n", "'\\x1b[31mred\\n' "),
    ],
)
def test_values_are_shown_as_they_were_written(value: object, shown: str) -> None:
    assert sentence(value=value) == f"p: {shown}is wrong. Change it."


@pytest.mark.parametrize("before", range(60, 80))
def test_no_half_of_a_token_survives_the_cut_of_a_long_value(before: int) -> None:
    reported = sentence(value="x " * (before // 2) + TOKEN)
    assert not any(TOKEN[at : at + 5] in reported for at in range(len(TOKEN) - 5))


@pytest.mark.parametrize("field", ["path", "reason", "remedy", "value"])
def test_no_token_in_any_part_of_a_sentence(field: str) -> None:
    assert TOKEN not in sentence(**{field: f"x {TOKEN} y"})


def test_engine_arguments_that_start_like_a_token_stay_readable() -> None:
    names = "hf_overrides hf_token hf_config_path hf_quant_config"
    assert without_secrets(names) == names


def test_a_stack_error_names_every_problem_on_a_line_of_its_own() -> None:
    problems = [
        Problem(path=path, reason="is\nwrong", remedy="Change it?", rule="memory-fit")
        for path in "ab"
    ]
    assert str(StackError("Pulumi.dev.yaml", problems)).splitlines() == [
        "Pulumi.dev.yaml: 2 problems, nothing created",
        "Pulumi.dev.yaml: a: is wrong. Change it?",
        "Pulumi.dev.yaml: b: is wrong. Change it?",
    ]


def test_warnings_stop_nothing() -> None:
    warning = Problem(path="p", reason="r", remedy="x", rule="eager-mode")
    stop = Problem(path="p", reason="r", remedy="x", rule="memory-fit")
    assert stops([warning, stop]) == (stop,)


def test_a_warning_ends_with_the_id_that_accept_takes() -> None:
    assert sentence(rule="eager-mode") == "p: is wrong. Change it. [eager-mode]"


@pytest.mark.parametrize("rule", ["memory-fit", "rollout-pool-replaced", "accept-unused"])
def test_what_cannot_be_accepted_ends_without_an_id(rule: str) -> None:
    assert sentence(rule=rule) == "p: is wrong. Change it."


def test_a_stop_of_a_rule_that_also_warns_ends_without_an_id() -> None:
    assert sentence(rule="tool-parser") == "p: is wrong. Change it."
    assert sentence(rule="tool-parser", severity=Severity.WARN).endswith(" [tool-parser]")


def test_a_problem_of_no_registered_rule_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="'eager-mod' is not a rule"):
        sentence(rule="eager-mod")


def test_a_problem_is_only_as_grave_as_its_rule_allows() -> None:
    with pytest.raises(ValueError, match="no warn for memory-fit"):
        sentence(rule="memory-fit", severity=Severity.WARN)
