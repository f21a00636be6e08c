"""Whatever a file with a preview holds, it is read, or refused in one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from reports.command_line import DEPLOYABLE, STOPPED, UNREADABLE, main
from reports.drift import drift_of
from reports.drift_markdown import drift_markdown
from reports.plan_data import plan_summary
from reports.preview_document import preview_document
from reports.pull_request_comment import LIMIT, CommentContent, comment
from reports.pulumi_preview import engine_preview
from reports.sources import SourceError
from tests.planning.small_stacks import planned, small

thorough = settings(
    max_examples=600, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
COMPONENT = "ray-llm:index:RayLlmService"
RAY_SERVICE = f"urn:pulumi:s::ray-llm::{COMPONENT}$kubernetes:ray.io/v1:RayService::llm"
STEP = {"op": "update", "urn": RAY_SERVICE}
NEW = plan_summary(planned([small()], versions={"ray": "2.60.0"}))


def changed(**fields: Any) -> str:
    return json.dumps({"steps": [{**STEP, **fields}]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"steps": true}', "steps is true or false and has to be a list"),
        ('{"steps": [3]}', "steps[0] is a number and has to be a mapping"),
        (changed(op=["update"]), "steps[0].op is a list and has to be a text"),
        (changed(op=None), "steps[0].op is null and has to be a text"),
        ('{"steps": [{"op": "update"}]}', "steps[0].urn is missing"),
        (changed(urn="llm"), "steps[0].urn is no URN of a resource"),
        (changed(urn="urn:pulumi:s-->::p::a:b:C::x"), "steps[0].urn is no URN of a resource"),
        (changed(oldState="gone"), "steps[0].oldState is a text and has to be a mapping"),
        (
            changed(newState={"inputs": []}),
            "steps[0].newState.inputs is a list and has to be a mapping",
        ),
        (changed(detailedDiff=["a"]), "steps[0].detailedDiff is a list and has to be a mapping"),
        (changed(replaceReasons=[1]), "steps[0].replaceReasons[0] is a number and has to be a te"),
        ('{"diagnostics": [{"severity": []}]}', "diagnostics[0].severity is a list and has to be"),
        (
            '{"changeSummary": {"opensesame": "opensesame"}}',
            "changeSummary[...] is a text and has to be a whole number",
        ),
        ('{"steps": [], "a": ' + "1" * 5000 + "}", "a whole number with more digits than any"),
        ('{"steps": [], "a": "\\ud800"}', "a text that is no Unicode"),
        ('{"steps": [], "\\udc00": 1}', "a text that is no Unicode"),
        (
            '{"steps": [], "a": ' + "[" * 200 + "]" * 200 + "}",
            "nested more than 100 levels deep",
        ),
        ("[" * 100_000, "nested too deeply for a preview"),
        ("[]", "is not the JSON of `pulumi preview --json`"),
    ],
)
def test_another_form_is_refused_by_place_and_kind_and_without_what_it_holds(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "preview.json"
    path.write_text(text, encoding="utf-8")
    stack = tmp_path / "Pulumi.s.yaml"
    stack.write_text(
        "config:\n  gcp:project: acme-ml\n  gcp:region: us-central1\n"
        "  ray-llm:cluster: {name: llm-s, zones: [us-central1-a]}\n"
        "  ray-llm:versions: {ray: 2.60.0}\n  ray-llm:models: [qwen2.5-0.5b-instruct]\n"
    )
    for command in (
        ["drift", f"--preview={path}"],
        ["comment", "--stack=s", f"--directory={tmp_path}", f"--preview={path}"],
    ):
        assert main(command) == UNREADABLE
        printed = capsys.readouterr()
        assert printed.out == ""
        assert len(printed.err.splitlines()) == 1
        assert printed.err.startswith(f"{path}: ")
        assert said in printed.err
        assert "opensesame" not in printed.err


@pytest.mark.parametrize(
    "text",
    [
        '{"config": {"token": "opensesame',
        '{"steps": [{"op": "update", "newState": {"inputs": {"key": "opensesame"}}',
        "opensesame",
    ],
)
def test_a_document_that_was_cut_is_a_failed_preview_and_nothing_of_it_is_shown(text: str) -> None:
    [error] = engine_preview(text, "preview.json").errors
    assert "no whole JSON document (line 1, column" in error
    assert "opensesame" not in error


def test_what_the_engine_says_instead_of_a_document_is_shown() -> None:
    [error] = engine_preview("error: no stack named 'prod' found\n", "preview.json").errors
    assert error == "pulumi preview printed: error: no stack named 'prod' found"


def test_a_file_with_a_byte_order_mark_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "preview.json"
    steps = [{"op": "refresh", "urn": f"urn:pulumi:s::ray-llm::{COMPONENT}::llm"}]
    path.write_text(json.dumps({"steps": steps}), encoding="utf-8-sig")
    assert main(["drift", f"--preview={path}"]) == DEPLOYABLE
    plans = [tmp_path / name for name in ("old.json", "new.json")]
    for plan in plans:
        plan.write_text(json.dumps(NEW), encoding="utf-8-sig")
    assert main(["diff", *map(str, plans)]) == DEPLOYABLE
    assert "does not change" in capsys.readouterr().out


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["a: &x [*x]\n", "a: 59:59:59\nb\n", "a:\n  limits: {x: 1e999999999}\n"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
OPERATIONS = st.sampled_from(
    ["refresh", "same", "update", "replace", "create", "delete", "create-replacement", "discard"]
)
PATHS = st.sampled_from(["spec.a", "spec[0]", 'a["b.c"]', "a[" + "9" * 5000 + "]", "", '["'])
TEXTS = st.sampled_from(
    [
        "a: 1\nb: 2\n",
        "a: &x [*x]\nb: 1\n",
        "a: 2001-99-99\nb: 1\n",
        "a: 1" + ":59" * 3000 + "\nb: 1\n",
        "a:\n  limits: {x: 1e999999999, y: " + "9" * 5000 + "}\n",
        "applications:\n- route_prefix: {a: 1}\n- [1]\n",
        "a: " + "[" * 400 + "]" * 400 + "\n",
    ]
)
FIELDS = st.recursive(
    ANYTHING,
    lambda inner: st.dictionaries(
        st.sampled_from(["f:a", "f:spec", 'k:{"name":"x"}', "k:[]", "k:{", "v:1", "."]),
        inner,
        max_size=3,
    ),
    max_leaves=5,
)
LIVE = st.fixed_dictionaries(
    {},
    optional={
        "spec": ANYTHING | TEXTS,
        "__fieldManager": ANYTHING,
        "metadata": ANYTHING
        | st.fixed_dictionaries(
            {
                "managedFields": ANYTHING
                | st.lists(
                    st.fixed_dictionaries(
                        {"manager": ANYTHING, "fieldsV1": st.fixed_dictionaries({"f:spec": FIELDS})}
                    ),
                    max_size=2,
                )
            }
        ),
    },
)
STATE = st.none() | st.fixed_dictionaries(
    {}, optional={"inputs": ANYTHING | LIVE, "outputs": ANYTHING | LIVE}
)
TYPES = st.sampled_from(["kubernetes:ray.io/v1:RayService", "a:b:C", "kubernetes:core/v1:Secret"])
STEPS = st.fixed_dictionaries(
    {
        "op": OPERATIONS | ANYTHING,
        "urn": TYPES.map(lambda type_: f"urn:pulumi:s::ray-llm::{COMPONENT}${type_}::x") | ANYTHING,
    },
    optional={
        "oldState": STATE,
        "newState": STATE,
        "detailedDiff": st.dictionaries(PATHS, ANYTHING, max_size=2) | ANYTHING,
        "diffReasons": st.lists(PATHS, max_size=2),
        "replaceReasons": st.lists(PATHS, max_size=2),
    },
)
DIAGNOSTICS = st.fixed_dictionaries(
    {"severity": st.sampled_from(["info", "warning", "error"]) | ANYTHING, "message": ANYTHING},
    optional={"urn": st.just(f"urn:pulumi:s::ray-llm::{COMPONENT}::llm") | ANYTHING},
)
DOCUMENTS = (
    st.fixed_dictionaries(
        {"steps": st.lists(STEPS, max_size=3) | ANYTHING},
        optional={
            "diagnostics": st.lists(DIAGNOSTICS, max_size=2) | ANYTHING,
            "changeSummary": st.dictionaries(OPERATIONS, st.integers(0, 9)) | ANYTHING,
            "config": ANYTHING,
        },
    )
    | ANYTHING
)


VALUES = st.dictionaries(
    st.sampled_from(["spec", "a", "b.c"]), TEXTS | st.lists(TEXTS | st.integers()), max_size=3
)
# The form that the engine writes, with anything inside.
STATES = st.fixed_dictionaries({"inputs": VALUES | LIVE, "outputs": LIVE})
WELL_FORMED = st.lists(
    st.fixed_dictionaries(
        {
            "op": OPERATIONS,
            "urn": st.just(RAY_SERVICE),
            "oldState": STATES,
            "newState": STATES,
            "detailedDiff": st.dictionaries(PATHS | st.just("spec"), st.none(), max_size=3),
        }
    ),
    min_size=1,
    max_size=3,
).map(lambda steps: {"steps": [{**STEP, "op": "refresh"}, *steps]})


@thorough
@given(WELL_FORMED.map(json.dumps) | DOCUMENTS.map(json.dumps) | st.text())
def test_no_text_at_all_is_a_traceback(text: str) -> None:
    for read in (_drift, _comment):
        shown = refused = ""
        try:
            shown = read(text)
        except SourceError as error:
            refused = str(error)
        event("refused" if refused else "read")
        assert len(refused.splitlines()) <= 1
        (shown + refused).encode()
        assert len(shown) < LIMIT + 500


def _drift(text: str) -> str:
    return drift_markdown(drift_of(text, "preview.json"))


def _comment(text: str) -> str:
    preview = engine_preview(text, "preview.json")
    return comment(CommentContent(stack="s", new=NEW, preview=preview))


def test_fields_that_are_not_used_may_have_any_form() -> None:
    found = preview_document(changed(provider=[1], diffReasons=None), "preview.json")
    assert [step.op for step in found.steps or ()] == ["update"]


def test_a_failed_comparison_is_not_taken_for_no_drift(tmp_path: Path) -> None:
    path = tmp_path / "preview.json"
    path.write_text(changed(op="same"), encoding="utf-8")
    assert main(["drift", f"--preview={path}"]) not in {DEPLOYABLE, STOPPED}
