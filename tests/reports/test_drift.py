"""The drift report, from documents in the form of the JSON of a preview with `--refresh`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reports.command_line import DEPLOYABLE, STOPPED, UNREADABLE, main
from reports.drift import Origin, drift_of
from reports.drift_markdown import LIMIT, drift_markdown
from reports.sources import SourceError
from tests.reports.workflow_steps import RECORDS, TOUCHES, run_step

SERVICE = "urn:pulumi:prod::ray-llm::ray-llm:index:RayLlmService::llm"
CHILD = "urn:pulumi:prod::ray-llm::ray-llm:index:RayLlmService"
WORKFLOW = Path(__file__).parents[2] / "examples/ci/drift.yml"
Object = dict[str, Any]


def urn(type_: str, name: str) -> str:
    return f"{CHILD}${type_}::{name}"


def refreshed(type_: str, name: str, state: Object, live: Object | None = None) -> Object:
    new = {} if live is None else {"newState": {"inputs": live, "outputs": live}}
    return {"op": "refresh", "urn": urn(type_, name), "oldState": {"inputs": state}, **new}


def updated(type_: str, name: str, live: Object, wanted: Object, *paths: str) -> Object:
    return {
        "op": "update",
        "urn": urn(type_, name),
        "oldState": {"inputs": live},
        "newState": {"inputs": wanted},
        "detailedDiff": {path: {"kind": "update"} for path in paths},
    }


def document(*steps: Object, **more: Any) -> str:
    return json.dumps({"steps": [{"op": "refresh", "urn": SERVICE}, *steps], **more})


def test_a_field_is_shown_with_both_values_and_where_it_was_changed() -> None:
    pool = "gcp:container/nodePool:NodePool"
    state = {"autoscaling": {"max": 4, "min": 0, "kind": "ANY"}}
    live = {"autoscaling": {"max": 9, "min": 0, "kind": "BALANCED"}}
    wanted = {"autoscaling": {"max": 4, "min": 1, "kind": "NONE"}}
    paths = ("autoscaling.max", "autoscaling.min", "autoscaling.kind")
    drift = drift_of(
        document(refreshed(pool, "l4", state, live), updated(pool, "l4", live, wanted, *paths)),
        "preview.json",
    )
    assert drift.stack == "prod"
    [found] = drift.resources
    fields = [(field.live, field.wanted, field.origin) for field in found.fields]
    assert fields == [
        ("9", "4", Origin.CLOUD),
        ("0", "1", Origin.STACK_FILE),
        ("BALANCED", "NONE", Origin.BOTH),
    ]
    text = drift_markdown(drift)
    assert text.startswith("<!-- ray-llm drift: prod -->\n")
    assert "| autoscaling.max | 9 | 4 | changed in the cloud |" in text


def test_what_was_deleted_and_what_is_new_are_told_apart() -> None:
    gone, new = "kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:ServiceAccount"
    drift = drift_of(
        document(
            refreshed(gone, "configs", {"data": {}}),
            {"op": "create", "urn": urn(gone, "configs")},
            {"op": "create", "urn": urn(new, "account")},
        ),
        "preview.json",
    )
    text = drift_markdown(drift)
    assert "`configs` (kubernetes:core/v1:ConfigMap)**: was deleted." in text
    assert "`account` (kubernetes:core/v1:ServiceAccount)**: is not deployed yet." in text


@pytest.mark.parametrize(
    ("type_", "path", "live", "wanted"),
    [
        ("kubernetes:core/v1:Secret", "data.token", {"data": {"token": "b3BlbnNlc2FtZQ"}}, {}),
        (
            "kubernetes:ray.io/v1:RayService",
            "spec.containers[0].env[0].value",
            {"spec": {"containers": [{"env": [{"value": "opensesame"}]}]}},
            {"spec": {"containers": [{"env": [{"value": "opensesame2"}]}]}},
        ),
        (
            "kubernetes:ray.io/v1:RayService",
            "spec.serveConfigV2",
            {
                "spec": {
                    "serveConfigV2": "applications:\n- route_prefix: /a\n  runtime_env:\n"
                    "    env_vars: {KEY: opensesame}\n"
                }
            },
            {
                "spec": {
                    "serveConfigV2": "applications:\n- route_prefix: /a\n  runtime_env:\n"
                    "    env_vars: {KEY: b3BlbnNlc2FtZQ}\n"
                }
            },
        ),
        ("kubernetes:core/v1:ConfigMap", "data.a", {"data": {"a": "hf_OpenSesame0123"}}, {}),
    ],
)
def test_no_secret_is_shown(type_: str, path: str, live: Object, wanted: Object) -> None:
    text = drift_markdown(
        drift_of(
            document(refreshed(type_, "x", {}, live), updated(type_, "x", live, wanted, path)),
            "preview.json",
        )
    )
    assert "`x`" in text
    for secret in ("opensesame", "b3BlbnNlc2FtZQ", "hf_OpenSesame"):
        assert secret not in text


def test_who_added_a_field_to_the_ray_service_is_named() -> None:
    type_ = "kubernetes:ray.io/v1:RayService"
    state = {"spec": {"rayClusterConfig": {}}}
    live = {
        "spec": {"rayClusterConfig": {"suspend": True}},
        "__fieldManager": "pulumi-kubernetes-1",
        "metadata": {
            "managedFields": [
                {"manager": manager, "fieldsV1": {"f:spec": {f"f:{field}": {}}}}
                for manager, field in (
                    ("pulumi-kubernetes-1", "ours"),
                    ("ray-llm", "handedOver"),
                    ("kuberay-operator", "emptyStruct"),
                    ("kubectl-patch", "suspend"),
                )
            ]
        },
    }
    same = {
        "op": "same",
        "urn": urn(type_, "llm"),
        "oldState": {"inputs": state, "outputs": live},
    }
    [found] = drift_of(
        document(refreshed(type_, "llm", state, state), same), "preview.json"
    ).resources
    assert [(field.path, field.live) for field in found.fields] == [
        ("spec.suspend", "set by kubectl-patch")
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"steps": []}', "has compared nothing with the cloud"),
        (
            '{"steps": [{"op": "refresh", "urn": "urn:pulumi:prod::shop::aws:s3:Bucket::b"}]}',
            "is the preview of another program",
        ),
        ('{"models": []}', "is not the JSON of `pulumi preview --json`"),
        ("[1, 2]", "is not the JSON of `pulumi preview --json`"),
    ],
)
def test_another_document_is_refused(text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        drift_of(text, "preview.json")


@pytest.mark.parametrize(
    "steps",
    [
        [{"op": "update", "urn": urn("a:b:C", "x")}],
        [{"op": "update", "urn": urn("a:b:C", "x"), "detailedDiff": {"a[0].b": 1, '["': 2}}],
        [updated("a:b:C", "x", {"t": "a: [\nb"}, {"t": "a: 1\nb: &x\n"}, "t")],
    ],
)
def test_strange_steps_are_no_traceback(steps: list[Any]) -> None:
    drift_markdown(drift_of(document(*steps), "preview.json"))


def test_the_exit_code_says_whether_something_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def code(text: str) -> int:
        path = tmp_path / "preview.json"
        path.write_text(text, encoding="utf-8")
        return main(["drift", f"--preview={path}"])

    assert code(document()) == DEPLOYABLE
    assert "is as its stack file wants it" in capsys.readouterr().out
    change = {"op": "delete", "urn": urn("a:b:C", "x")}
    assert code(document(change)) == STOPPED
    error = {"diagnostics": [{"severity": "error", "message": "error: no permission"}]}
    assert code(document(change, **error)) == STOPPED
    assert "no permission" in capsys.readouterr().out
    assert code(document(**error)) == UNREADABLE
    assert code("") == UNREADABLE
    assert code("error: no stack named prod") == UNREADABLE
    assert main(["drift", f"--preview={tmp_path / 'none.json'}"]) == UNREADABLE


def workflow() -> Object:
    found: Object = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return found


def issue_script() -> str:
    steps = workflow()["jobs"]["drift"]["steps"]
    return str(next(step["run"] for step in steps if "Open" in step.get("name", "")))


@pytest.mark.parametrize(
    ("code", "there", "call"),
    [
        (0, "", None),
        (0, "7\n", "--method PATCH repos/acme/stacks/issues/7 --field state=closed"),
        (1, "7\n9\n", "--method PATCH repos/acme/stacks/issues/7 --field body=@drift.md"),
        (1, "", "--method POST repos/acme/stacks/issues --field body=@drift.md --raw-field title="),
    ],
)
def test_the_workflow_keeps_one_issue(
    code: int, there: str, call: str | None, tmp_path: Path
) -> None:
    """With a fake of GitHub's command line that answers the search and records calls."""
    (tmp_path / "drift.md").write_text(drift_markdown(drift_of(document(), "")), encoding="utf-8")
    run_step(issue_script(), tmp_path, RECORDS, THERE=there, CODE=str(code)).check_returncode()
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    made = [line for line in calls if "--method" in line]
    assert len(made) == (call is not None)
    assert call is None or call in made[0]


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("written", ["", "Traceback\n", "<!-- ray-llm drift: dev -->\n"])
def test_the_workflow_touches_no_issue_without_a_report_of_this_stack(
    code: int, written: str, tmp_path: Path
) -> None:
    """A program that crashes ends with 1, as one that has found a difference."""
    (tmp_path / "drift.md").write_text(written)
    done = run_step(issue_script(), tmp_path, TOUCHES, CODE=str(code))
    assert done.returncode == 1
    assert "wrote no report of stack prod" in done.stdout
    assert not (tmp_path / "called").exists()


def test_a_report_is_cut_below_githubs_limit_and_says_how_many_it_leaves_out() -> None:
    names = [f"{n}-{'|@' * 200}" for n in range(60)]
    paths = {f"a{n}.{'[' * 250}": {} for n in range(60)}
    steps = [{"op": "update", "urn": urn("a:b:C", name), "detailedDiff": paths} for name in names]
    error = {"severity": "error", "message": "error: <b>" * 20_000}
    text = drift_markdown(drift_of(document(*steps, diagnostics=[error] * 50), "preview.json"))
    assert len(text) <= LIMIT
    assert "60 resources differ" in text
    left_out = int(re.search(r"and (\d+) more resources, which this report leaves out", text)[1])  # type: ignore[index]
    assert left_out + text.count("**`") == 60
    assert "`pulumi up --refresh` makes it so" in text


def test_a_record_of_fields_of_another_form_is_said_in_one_sentence() -> None:
    type_ = "kubernetes:ray.io/v1:RayService"
    live = {"spec": {}, "metadata": {"managedFields": [{"fieldsV1": {"f:spec": {"k:[": "x"}}}]}}
    same = {
        "op": "same",
        "urn": urn(type_, "llm"),
        "oldState": {"inputs": {"spec": {}}, "outputs": live},
    }
    with pytest.raises(SourceError, match=r"llm of type .* has a record of fields"):
        drift_of(document(same), "preview.json")


@pytest.mark.parametrize("value", [10**100, "0x" + "f" * 5000])
def test_a_number_that_nobody_can_read_is_not_written_out(value: Any) -> None:
    live, wanted = {"a": f"x: {value}\ny: 1\n"}, {"a": "x: 1\ny: 1\n"}
    changed = updated("a:b:C", "x", live, wanted, "a")
    [found] = drift_of(document(changed), "preview.json").resources
    assert found.fields[0].live == "(a number of many digits)"


def test_the_workflow_asks_for_no_more_than_it_uses() -> None:
    document = workflow()
    assert document["permissions"] == {}
    assert document["jobs"]["drift"]["permissions"] == {
        "contents": "read",
        "id-token": "write",
        "issues": "write",
    }
    uses = [step["uses"] for step in document["jobs"]["drift"]["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in uses)
