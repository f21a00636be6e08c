"""YAML text is read back as the same object; it has quotes if Go would read it differently."""

import math
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from manifests.yaml_text import Written, yaml_text

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
OBJECTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), OBJECTS, min_size=1, max_size=5))
def test_reads_back_to_the_same_object(value: dict[str, Any]) -> None:
    assert yaml.safe_load(yaml_text(value)) == value


@pytest.mark.parametrize(
    "text",
    ["1e3", "0x1f", "0o17", "007", "1_000", "1:30", "yes", "No", "on", "null", "~", "y", "N",
     "true", "2025-01-01", "", " a", "a: b", "- a", "#a", "a #b", "'", '"', "=", "<<", ".inf",
     "-.5", "nan", "!!str", "&a", "*a", "%a", "@a", "`a", "a\n", "a:", "[", "{", "?", "|", ">"],
)  # fmt: skip
def test_doubtful_text_is_quoted(text: str) -> None:
    written = yaml_text({"key": text})
    assert re.fullmatch(r'key: ".*"\n', written)
    assert yaml.safe_load(written) == {"key": text}


def test_names_and_paths_stay_bare_for_the_reader() -> None:
    value = {"model_source": "Qwen/Qwen2.5-7B-Instruct", "route_prefix": "/qwen2.5", "n": [1, 0.9]}
    assert yaml_text(value) == (
        'model_source: Qwen/Qwen2.5-7B-Instruct\nroute_prefix: /qwen2.5\n"n":\n- 1\n- 0.9\n'
    )


def test_keys_keep_their_order() -> None:
    value = {"zeta": 1, "alpha": {"zz": 1, "aa": 2}}
    assert list(yaml.safe_load(yaml_text(value))) == ["zeta", "alpha"]


def test_one_object_in_two_places_is_written_twice_without_an_anchor() -> None:
    shared = {"factor": 4.0}
    assert yaml_text({"aa": shared, "bb": shared}) == "aa:\n  factor: 4.0\nbb:\n  factor: 4.0\n"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_without_a_json_form_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        yaml_text({"key": number})


def test_keys_that_are_not_text_are_refused() -> None:
    with pytest.raises(TypeError, match="cannot be a key"):
        yaml_text({"key": {1: 2}})


@given(st.dictionaries(st.text(), OBJECTS, min_size=1, max_size=5))
def test_what_was_written_before_is_written_the_same_again(value: dict[str, Any]) -> None:
    again = {"deep": [{"list": [Written(yaml_text(value)), Written(yaml_text(value))]}]}
    assert yaml_text(again) == yaml_text({"deep": [{"list": [value, value]}]})
