"""The pull request comment, from plans and from recorded previews of the real engine."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from reports.command_line import DEPLOYABLE, STOPPED, UNREADABLE, main
from reports.difference import difference
from reports.plan_data import plan_summary
from reports.plan_reading import summary_of_json
from reports.pull_request_comment import LIMIT, CommentContent, comment, marker
from reports.pulumi_preview import engine_preview
from reports.sources import SourceError, plan_of_file
from tests.planning.small_stacks import planned, small
from tests.reports.record_previews import AFTER, BEFORE, BIGGER_POOL, ELSEWHERE
from tests.reports.record_previews import STOPPED as STOPPED_STACK
from tests.reports.workflow_steps import RECORDS, TOUCHES, run_step

ROOT = Path(__file__).parents[2]
RECORDED = Path(__file__).parent / "previews"
WORKFLOW = ROOT / "examples/ci/pull-request.yml"


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.json").read_text(encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The recorded stack: committed as before the change, in the tree as after it."""

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True
        )

    git("init", "--quiet", "--initial-branch=main")
    (tmp_path / "Pulumi.recorded.yaml").write_text(BEFORE, encoding="utf-8")
    git("add", ".")
    git("commit", "--quiet", "--message", "before")
    (tmp_path / "Pulumi.recorded.yaml").write_text(AFTER, encoding="utf-8")
    return tmp_path


def run(
    capsys: pytest.CaptureFixture[str], repository: Path, preview: str, *more: str
) -> tuple[int, str]:
    code = main(
        [
            "comment",
            "--stack=recorded",
            f"--directory={repository}",
            "--assume-token",
            f"--preview={RECORDED / preview}",
            *more,
        ]
    )
    return code, capsys.readouterr().out


def test_a_change_is_shown_with_verdict_difference_and_resources(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = run(capsys, repository, "change.json", "--base=main", "--commit=abc123")
    assert code == DEPLOYABLE
    assert text.startswith("<!-- ray-llm plan: recorded -->\n")
    assert "✅ Stack `recorded` can be deployed" in text
    assert "added: `qwen2.5-14b-instruct`" in text
    assert "removed: `qwen2.5-0.5b-instruct`" in text
    assert "**replace** `gpu-pools-l4`" in text
    assert "nodeConfig.spot" in text
    assert "For commit abc123." in text


def test_a_new_stack_lists_what_is_created(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = run(capsys, repository, "create.json", "--base=main")
    assert code == DEPLOYABLE
    assert re.search(r"Resources: \d+ to create", text)
    assert "`gpu-pools-t4` (gcp:container/nodePool:NodePool)" in text


def test_a_stop_lists_every_problem_once(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "Pulumi.recorded.yaml").write_text(STOPPED_STACK, encoding="utf-8")
    code, text = run(capsys, repository, "stop.json", "--base=main")
    assert code == STOPPED
    assert "⛔ Stack `recorded`: 2 problems to solve" in text
    assert text.count("l5 is not a pool") == 1


def test_the_engine_says_the_same_of_a_stop_as_the_plan() -> None:
    (error,) = engine_preview(recorded("stop"), "stop.json").errors
    assert "l5 is not a pool of this stack" in error
    assert "float17" in error


def test_a_preview_that_fails_for_another_reason_stops(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = {"diagnostics": [{"severity": "error", "message": "error: no <b>permission</b>\n"}]}
    path = tmp_path / "failed.json"
    path.write_text(json.dumps(failed), encoding="utf-8")
    code, text = run(capsys, repository, str(path))
    assert code == STOPPED
    assert "the engine's preview failed" in text
    assert "- error: no &lt;b>permission&lt;/b>" in text


FRAMES = """Traceback (most recent call last):
  File "/home/someone/.venv/lib/pulumi/runtime/stack.py", line 270, in run
    await task
    ^^^^^^^^^^
"""


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        # As the engine printed them for a call that failed and for a program that raised.
        (
            f"error: runtime error: invoke of f failed: not found\n{FRAMES}"
            "Exception: invoke of f failed: not found\n",
            "error: runtime error: invoke of f failed: not found",
        ),
        (
            f"error: Program failed with an unhandled exception:\n{FRAMES}ValueError: no\nzone\n",
            "error: Program failed with an unhandled exception:\nValueError: no\nzone",
        ),
        # A hook's sentence stands in a frame of the engine's.
        (
            'error: before hook "rollout" failed: l4 has no room for one replica more.\n',
            'error: before hook "rollout" failed: l4 has no room for one replica more.',
        ),
        ("error: Traceback (most recent call last):", "error:"),
    ],
)
def test_an_error_of_a_preview_is_shown_without_frames(message: str, shown: str) -> None:
    ended = "error: an unhandled error occurred: Program exited with non-zero exit code: 1"
    diagnostics = [{"severity": "error", "message": text} for text in (message, ended)]
    diagnostics.insert(0, {"severity": "info", "message": "Stack dev"})
    found = engine_preview(json.dumps({"diagnostics": diagnostics}), "preview.json")
    assert found.errors == (shown,)


def test_a_program_that_only_ended_is_an_error_too() -> None:
    ended = "error: an unhandled error occurred: Program exited with non-zero exit code: 1"
    document = {"diagnostics": [{"severity": "error", "message": ended}]}
    assert engine_preview(json.dumps(document), "preview.json").errors == (ended,)


@pytest.mark.parametrize("printed", ["", "error: could not load stack", "{"])
def test_a_preview_that_printed_no_json_stops(printed: str) -> None:
    assert engine_preview(printed, "preview.json").errors


@pytest.mark.parametrize("printed", ["[]", "3", '{"a": 1}'])
def test_json_that_is_no_preview_is_refused(printed: str) -> None:
    with pytest.raises(SourceError, match=r"preview\.json"):
        engine_preview(printed, "preview.json")


@pytest.mark.parametrize(
    ("urn", "said"),
    [
        (
            "urn:pulumi:other::ray-llm::ray-llm:index:GkeCluster::cluster",
            "is the preview of stack other, not of recorded",
        ),
        ("urn:pulumi:recorded::shop::aws:s3:Bucket::b", "is the preview of another program"),
    ],
)
def test_a_preview_of_another_stack_or_program_is_refused(
    urn: str, said: str, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"steps": [{"op": "create", "urn": urn}]}), encoding="utf-8")
    arguments = ["--stack=recorded", f"--directory={repository}", "--assume-token"]
    assert main(["comment", *arguments, f"--preview={path}"]) == UNREADABLE
    assert said in capsys.readouterr().err


def test_a_missing_preview_ends_with_2(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = run(capsys, repository, "no-such.json")
    assert code == UNREADABLE


def test_a_base_that_could_not_be_deployed_is_said(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    (repository / "Pulumi.recorded.yaml").write_text(STOPPED_STACK, encoding="utf-8")
    commit = ["git", *identity, "commit", "--quiet", "--all", "--message", "broken"]
    subprocess.run(commit, cwd=repository, check=True)
    (repository / "Pulumi.recorded.yaml").write_text(AFTER, encoding="utf-8")
    code, text = run(capsys, repository, "change.json", "--base=main")
    assert code == DEPLOYABLE
    assert "could not be deployed at main either" in text


def test_no_token_of_a_recorded_preview_is_in_the_comment(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"
    document = json.loads(recorded("stop"))
    document["diagnostics"].append({"severity": "error", "message": f"token {token} refused"})
    path = repository / "preview.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    _, text = run(capsys, repository, str(path))
    assert "refused" in text
    assert token not in text


def test_a_comment_stays_below_githubs_limit() -> None:
    asleep = {"min": 0, "max": 1}
    models = [small(name=f"a-rather-long-name-{n}", replicas=asleep) for n in range(600)]
    cluster = {"name": "llm", "zones": ["us-central1-a"], "cpuPool": {"maxNodes": 1000}}
    pools = [{"tier": "l4", "maxNodes": 600}]
    new = plan_summary(planned(models, gpuPools=pools, cluster=cluster))
    old = plan_summary(planned(models[:1], gpuPools=pools, cluster=cluster))
    text = comment(CommentContent(stack="test", new=new, changes=difference(old, new)))
    assert len(text) < LIMIT + 500
    assert "Cut, because" in text
    assert text.count("<details>") == text.count("</details>")
    assert text.startswith(marker("test"))


def test_a_comment_that_is_too_long_keeps_a_shorter_plan() -> None:
    asleep = {"min": 0, "max": 1}
    models = [small(name=f"a-rather-long-name-{n}", replicas=asleep) for n in range(300)]
    cluster = {"name": "llm", "zones": ["us-central1-a"], "cpuPool": {"maxNodes": 1000}}
    pools = [{"tier": "l4", "maxNodes": 600}]
    new = plan_summary(planned(models, gpuPools=pools, cluster=cluster))
    text = comment(CommentContent(stack="test", new=new, changes=difference(new, new)))
    assert len(text) <= LIMIT
    assert "a-rather-long-name-299 | l4" in text
    assert "USD a month" not in text
    assert "`ray-llm plan` shows the whole plan" in text


def test_the_stacks_recorded_output_is_the_plan_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.recorded.yaml"
    path.write_text(BEFORE, encoding="utf-8")
    made = plan_summary(plan_of_file(path, assume_token=True))
    found = difference(summary_of_json(recorded("output"), "output.json"), made)
    assert not found.models_changed
    assert not found.pools_changed
    assert not found.models_added


def workflow_script(step: str) -> str:
    document = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    steps = document["jobs"]["plan"]["steps"]
    return str(next(entry["run"] for entry in steps if entry.get("name", "").startswith(step)))


@pytest.mark.parametrize(
    ("there", "method", "target"),
    [
        ("", "POST", "repos/acme/stacks/issues/7/comments"),
        ("11\n12\n", "PATCH", "repos/acme/stacks/issues/comments/11"),
    ],
)
def test_the_workflow_edits_the_comment_that_is_there(
    there: str, method: str, target: str, tmp_path: Path
) -> None:
    """With a fake of GitHub's command line that answers the search and records calls."""
    (tmp_path / "comment.md").write_text(f"{marker('prod')}\n\ntext\n", encoding="utf-8")
    done = run_step(workflow_script("Post it"), tmp_path, RECORDS, THERE=there, NUMBER="7")
    done.check_returncode()
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert f"--method {method} {target} " in calls[-1]
    assert "--field body=@comment.md" in calls[-1]


@pytest.mark.parametrize("written", ["", "Traceback\n", f"{marker('dev')}\n\ntext\n"])
def test_the_workflow_posts_nothing_if_no_comment_was_written(written: str, tmp_path: Path) -> None:
    (tmp_path / "comment.md").write_text(written)
    done = run_step(workflow_script("Post it"), tmp_path, TOUCHES, NUMBER="7")
    assert done.returncode == 1
    assert "wrote no comment of stack prod" in done.stdout
    assert not (tmp_path / "called").exists()


def test_the_workflow_asks_for_no_more_than_it_uses() -> None:
    document = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert document["permissions"] == {}
    assert document["jobs"]["plan"]["permissions"] == {
        "contents": "read",
        "id-token": "write",
        "pull-requests": "write",
    }
    uses = [step["uses"] for step in document["jobs"]["plan"]["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in uses)


def test_the_workflow_calls_commands_that_there_are() -> None:
    script = workflow_script("Write the comment")
    assert "ray-llm comment" in script
    for option in ("--stack", "--base", "--preview", "--commit"):
        assert option in script


COMPONENT = "urn:pulumi:s::ray-llm::ray-llm:index:RayLlmService::llm"
RAY_SERVICE = (
    "urn:pulumi:s::ray-llm::ray-llm:index:RayLlmService$kubernetes:ray.io/v1:RayService::x"
)
HEADING = "### What this change does to what runs"


def said_in_comment(*diagnostics: dict[str, str], service: str | None = "update") -> str:
    """The section of a comment on a preview with these messages."""
    steps = [] if service is None else [{"op": service, "urn": RAY_SERVICE}]
    text = json.dumps({"steps": steps, "diagnostics": diagnostics})
    new = plan_summary(planned([small()], versions={"ray": "2.49.1"}))
    content = CommentContent(
        stack="s",
        new=new,
        changes=difference(None, new),
        preview=engine_preview(text, "preview"),
    )
    found = comment(content)
    assert found.count(HEADING) == 1
    return found.partition(HEADING)[2].partition("\n\n**")[0].partition("<details>")[0]


def test_the_rollout_of_a_recorded_change_is_said_as_the_preview_said_it(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, text = run(capsys, repository, "change.json", "--base=main")
    assert HEADING in text
    for said in (
        "- ⚠️ Node pool l4 is deleted and created again, because spot changes:",
        "- Node pool l4-x2 is added and has no node until one is due.",
        "KubeRay starts a second Ray cluster beside the old one",
        "- ⚠️ Model qwen2.5-0.5b-instruct is removed: requests to it get a 404.",
        "- Model llama-3.1-8b-instruct is edited, in the second cluster alone.",
        "- Model qwen2.5-14b-instruct is added. Until the first answer it takes",
    ):
        assert said in text
    # The plan is a message too, and has its own place in the comment.
    assert text.count("GiB a GPU") <= 1
    assert "not known: the preview" not in text


def test_a_recorded_new_service_runs_nothing_yet(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, text = run(capsys, repository, "create.json", "--base=main")
    assert f"{HEADING}\n\nThe service is new: nothing of it runs yet." in text


def section(text: str) -> str:
    return text.partition(HEADING)[2].partition("\n### ")[0].partition("<details>")[0].strip()


def test_a_preview_without_a_change_is_known_as_ours_and_said_to_change_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `--show-sames` the engine shows no resource of it but the stack."""
    (repository / "Pulumi.recorded.yaml").write_text(BEFORE, encoding="utf-8")
    code, text = run(capsys, repository, "same.json", "--base=main")
    assert code == DEPLOYABLE
    assert section(text) == "Nothing that serves changes: the preview changes no resource."


def test_a_preview_that_changes_pools_alone_says_that_the_service_stays(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "Pulumi.recorded.yaml").write_text(BIGGER_POOL, encoding="utf-8")
    _, text = run(capsys, repository, "bigger-pool.json", "--base=main")
    assert section(text) == (
        "- Node pool t4 changes in place (maxNodes): no node is replaced.\n\n"
        "The RayService itself stays as it is."
    )


def test_what_a_refresh_reads_is_not_taken_for_what_happens(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--refresh` each resource has a step of the refresh before the other one."""
    (repository / "Pulumi.recorded.yaml").write_text(ELSEWHERE, encoding="utf-8")
    _, text = run(capsys, repository, "elsewhere-refreshed.json", "--base=main")
    assert section(text) == (
        "⚠️ The RayService is replaced: no model answers until the new one has loaded."
    )
    assert "Resources: 10 to replace" in text


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("operations", "service"),
    [
        (("refresh", "update"), "update"),
        (("refresh", "replace"), "replace"),
        (("create-replacement", "replace", "delete-replaced"), "replace"),
        (("update", "delete"), "delete"),
        (("same", "discard"), "same"),
        (("refresh",), None),
    ],
)
def test_the_worst_that_happens_to_a_resource_counts(
    operations: tuple[str, ...], service: str | None, order: int
) -> None:
    steps = [{"op": operation, "urn": RAY_SERVICE} for operation in operations][::order]
    found = engine_preview(json.dumps({"steps": steps}), "preview.json")
    assert found.service == service
    changed = service not in {None, "same"}
    assert [step.operation for step in found.steps] == ([service] if changed else [])


@pytest.mark.parametrize("component", ["GkeCluster", "GpuNodePools", "KubeRayOperator"])
def test_what_any_component_of_ours_says_is_in_the_comment(component: str) -> None:
    urn = f"urn:pulumi:s::ray-llm::ray-llm:index:{component}::x"
    said = "KubeRay 1.6.1 becomes 1.6.2."
    assert f"- ⚠️ {said}" in said_in_comment({"severity": "warning", "message": said, "urn": urn})


STACK_STEP = {"op": "same", "urn": "urn:pulumi:s::shop::pulumi:pulumi:Stack::shop-s"}


@pytest.mark.parametrize(
    "document",
    [
        {"steps": [STACK_STEP], "config": {"aws:region": "x"}, "changeSummary": {"same": 9}},
        {"steps": [STACK_STEP], "changeSummary": {"same": 9}},
        {"steps": [], "config": {"aws:region": "x"}, "changeSummary": {"same": 9}},
    ],
)
def test_a_preview_without_a_change_of_another_program_is_refused(document: object) -> None:
    with pytest.raises(SourceError, match="is the preview of another program: it has neither"):
        engine_preview(json.dumps(document), "preview.json")


@pytest.mark.parametrize(
    ("summary", "service"),
    [
        ({"same": 29, "update": 1}, "same"),
        ({"same": 29, "update": 2}, None),  # one of them is not in the document
        ({"same": 1, "update": 1}, None),  # everything is shown, and no RayService
        ({}, None),
    ],
)
def test_the_service_is_said_to_stay_only_if_nothing_of_the_preview_is_missing(
    summary: dict[str, int], service: str | None
) -> None:
    pool = "urn:pulumi:s::ray-llm::ray-llm:index:GpuNodePools$gcp:container/nodePool:NodePool::l4"
    steps = [{"op": "update", "urn": pool}, {**STACK_STEP}]
    document = {"steps": steps, "changeSummary": summary}
    assert engine_preview(json.dumps(document), "preview.json").service == service


def test_a_preview_that_failed_says_that_it_may_not_have_said_everything() -> None:
    said = {"severity": "info", "message": "It goes on.", "urn": COMPONENT}
    failed = {"severity": "error", "message": "error: stops"}
    text = said_in_comment(said, failed, service=None)
    assert "- It goes on." in text
    assert "more may happen than it came to say" in text
    assert "not known" in said_in_comment(failed, service=None)


def test_a_pool_that_goes_without_a_word_leaves_its_models_unknown() -> None:
    pool = "urn:pulumi:s::ray-llm::ray-llm:index:GpuNodePools$gcp:container/nodePool:NodePool::l4"
    steps = [{"op": "replace", "urn": pool}, {"op": "same", "urn": RAY_SERVICE}]
    found = engine_preview(json.dumps({"steps": steps}), "preview.json")
    assert found.service == "same"
    assert not found.is_explained


def test_messages_of_this_programs_components_alone_are_taken() -> None:
    others = (
        {"severity": "info", "message": "hello"},
        {"severity": "info", "message": "from elsewhere", "urn": "urn:pulumi:s::p::acme:x:Y::y"},
        {"severity": "warning", "message": "warning: of an object", "urn": RAY_SERVICE},
        {"severity": "debug", "message": "details", "urn": COMPONENT},
        {"severity": "error", "message": "error: stops", "urn": COMPONENT},
        {"severity": "info", "message": "no urn at all", "urn": "nonsense"},
    )
    text = said_in_comment(
        *others,
        {"severity": "warning", "message": "warning: It <stops>.\n", "urn": COMPONENT},
        {"severity": "info", "message": "It goes on.\n", "urn": COMPONENT},
    )
    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- ⚠️ It &lt;stops>.",
        "- It goes on.",
    ]


@pytest.mark.parametrize("service", ["update", None])
def test_a_preview_without_messages_says_that_the_rollout_is_not_known(
    service: str | None,
) -> None:
    text = said_in_comment({"severity": "info", "message": "hello"}, service=service)
    assert "What happens to the models that run is not known" in text


def test_what_is_known_from_the_steps_alone_is_said() -> None:
    assert "Nothing that serves changes" in said_in_comment(service="same")
    assert "no model answers until the new one has loaded" in said_in_comment(service="replace")
    assert "no model answers any more" in said_in_comment(service="delete")


def test_a_secret_in_a_message_is_left_out() -> None:
    secret = "hf_" + "a" * 34
    text = said_in_comment({"severity": "info", "message": f"with {secret}", "urn": COMPONENT})
    assert secret not in text


def test_a_stack_of_an_odd_name_does_not_end_the_mark() -> None:
    assert marker("a-->b").count("-->") == 1
