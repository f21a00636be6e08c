"""The output and exit codes of `ray-llm`, which needs no engine."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reports.command_line import DEPLOYABLE, STOPPED, UNREADABLE, main
from reports.plan_data import PlanSummary
from tests.planning.small_stacks import small, values, write_stack

ROOT = Path(__file__).parents[2]
GATED = {"model": "llama-3.1-8b-instruct", "gpu": "l4"}


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_shipped_stacks_are_planned(stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "plan", "--stack", stack, "--directory", ROOT, "--assume-token")
    assert code == DEPLOYABLE
    assert "USD a month" in out
    assert "GPUS_ALL_REGIONS" in out
    assert max(len(line) for line in out.splitlines()) <= 100


def test_a_plan_loads_no_module_that_only_other_commands_need() -> None:
    check = (
        "import sys; from reports.command_line import main; "
        "main(['plan', '--stack', 'prod', '--assume-token']); "
        "sys.exit(str({'svg', 'rich', 'tarfile', 'reports.difference'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == "set()"


def test_the_program_is_installed_as_ray_llm() -> None:
    program = Path(sys.executable).with_name("ray-llm")
    done = subprocess.run(
        [program, "check", "--stack", "nowhere"], capture_output=True, text=True, check=False
    )
    assert done.returncode == UNREADABLE
    assert done.stderr.startswith("Pulumi.nowhere.yaml")


@pytest.mark.parametrize(
    "command",
    ["plan", "check", "diff", "comment", "picture", "quotas", "schema", "doctor", "status", "logs"],
)
def test_the_help_of_each_command_has_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"  ray-llm {command} " in capsys.readouterr().out.split("examples:")[1]


@pytest.mark.parametrize(
    "arguments", [[], ["unknown"], ["pla"], ["plan", "--sta=prod"], ["diff", "--bas=main"]]
)
def test_no_command_and_no_option_is_guessed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == UNREADABLE
    assert "usage: ray-llm" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error() -> None:
    program = Path(sys.executable).with_name("ray-llm")
    plan = subprocess.Popen(
        [program, "plan", "--stack", "prod", "--assume-token"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert plan.stdout is not None
    assert plan.stderr is not None
    plan.stdout.close()
    assert plan.stderr.read() == b""
    assert plan.wait() == DEPLOYABLE


def test_a_reader_that_leaves_early_does_not_make_a_stop_deployable() -> None:
    program = Path(sys.executable).with_name("ray-llm")
    check = subprocess.Popen(
        [program, "check", "--stack", "prod"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert check.stderr is not None
    check.stderr.close()
    assert check.wait() == STOPPED


def test_a_plan_without_an_open_output_is_no_traceback() -> None:
    program = Path(sys.executable).with_name("ray-llm")
    command = 'exec "$0" plan --stack prod --assume-token >&-'
    done = subprocess.run(
        ["bash", "-c", command, program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (DEPLOYABLE, "")


# Put together here, so that no scanner of repositories takes them for real ones.
NESTED_SECRETS = {
    "hugging-face": ("hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567", {"auth": {}}),
    "aws": ("AKIA" + "IOSFODNN7EXAMPLE", {"keys": []}),
    "password": ("correct-horse", {"password": "correct-horse"}),
    "url": ("correct-horse", {"index": "https://reader:correct-horse@example.com"}),
    "private-key": ("MIIEsecret", {"pem": "-----BEGIN PRIVATE" + " KEY-----\nMIIEsecret"}),
}


@pytest.mark.parametrize("command", ["plan", "check", "diff", "comment", "picture"])
@pytest.mark.parametrize("name", NESTED_SECRETS)
def test_a_nested_secret_stops_every_command_and_is_shown_by_none(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, argument = NESTED_SECRETS[name]
    holder: dict[str, Any] = {**argument, "as text": f"x {secret}", "as key": {secret: 1}}
    if name in ("password", "url", "private-key"):  # no secrets but where they are
        holder = {**argument}
    model = {**small(), "engine": {"model_loader_extra_config": {"deep": [holder]}}}
    old = write_stack(tmp_path, "old", values([small()], gpuPools=["l4"]))
    new = write_stack(tmp_path, "new", values([model], gpuPools=["l4"]))
    stack = ["--stack", "new", "--directory", tmp_path]
    runs = {
        "plan": [["plan", new], ["plan", "--json", new], ["plan", "--markdown", new]],
        "check": [["check", new]],
        "diff": [["diff", old, new], ["diff", new, old]],
        "comment": [["comment", *stack]],
        "picture": [["picture", *stack]],
    }
    for arguments in runs[command]:
        code, out, err = run(capsys, *arguments)
        assert code == STOPPED
        assert secret not in out + err
        assert "in plain text" in out + err


def test_a_difference_that_a_preview_would_stop_ends_as_a_stopped_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for name in ("one", "two"):
        content = values([small()], versions={"ray": "2.49.1"})
        content["ray-llm:cluster"] = {**content["ray-llm:cluster"], "name": f"llm-{name}"}
        path = tmp_path / f"Pulumi.{name}.yaml"
        path.write_text(yaml.safe_dump({"config": content}), encoding="utf-8")
        files.append(path)
    code, _, err = run(capsys, "diff", *files)
    assert code == STOPPED, err
    assert "deletes the GKE cluster llm-one with everything in it" in err
    code, _, err = run(capsys, "diff", files[0], files[0])
    assert code == DEPLOYABLE, err


@pytest.mark.parametrize("form", [[], ["--json"], ["--markdown"]])
def test_what_looks_like_a_token_is_printed_in_no_form(
    form: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = "hf_" + "a1" * 17
    as_key = {**small(name="a"), "engine": {token: 1}}
    as_value = values([small(name="b")], versions={"image": f"rayproject/ray-llm:2.49.1-{token}"})
    for number, content in enumerate([values([as_key]), as_value]):
        path = tmp_path / f"Pulumi.s{number}.yaml"
        path.write_text(yaml.safe_dump({"config": content}), encoding="utf-8")
        _, out, err = run(capsys, "plan", *form, path)
        assert token not in out + err


def test_a_plan_needs_no_engine() -> None:
    check = (
        "import sys; from reports.command_line import main; "
        "code = main(['plan', '--stack', 'prod', '--assume-token']); "
        "sys.exit(code or 'pulumi' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, check=True)


def test_a_stop_is_printed_on_stderr_with_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_stack(tmp_path, "x", values([small("l5")], gpuPools=["l4"]))
    code, out, err = run(capsys, "plan", path)
    assert (code, out) == (STOPPED, "")
    assert "Pulumi.x.yaml: ray-llm:models[0].gpu: l5" in err


@pytest.mark.parametrize("text", [None, "config: [", "config: 3", "\x00", "- a"])
def test_what_cannot_be_read_ends_with_2(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "Pulumi.x.yaml").write_text(text)
    code, out, err = run(capsys, "plan", "--stack", "x", "--directory", tmp_path)
    assert (code, out) == (UNREADABLE, "")
    assert "Pulumi.x.yaml" in err
    assert "Traceback" not in err


def test_no_stack_named_lists_those_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "plan", "--directory", ROOT)
    assert code == UNREADABLE
    assert "dev, prod, staging" in err


def test_every_file_is_reported_and_one_stop_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_stack(tmp_path, "good", values([small()], gpuPools=["l4"]))
    bad = write_stack(tmp_path, "bad", values([small("l5")], gpuPools=["l4"]))
    code, out, err = run(capsys, "plan", bad, good)
    assert code == STOPPED
    assert "Stack good" in out
    assert "Pulumi.bad.yaml" in err


def test_check_prints_problems_and_warnings_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = values([small(replicas={"min": 2, "max": 3})], gpuPools=[{"tier": "l4", "maxNodes": 2}])
    path = write_stack(tmp_path, "x", stack)
    code, out, err = run(capsys, "check", path)
    assert (code, out) == (DEPLOYABLE, "")
    assert err.startswith("warning: ray-llm:gpuPools[0].maxNodes")


def test_a_token_is_known_to_exist_or_assumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = values([GATED], gpuPools=["l4"])
    without = write_stack(tmp_path, "without", config)
    secret = {**config, "ray-llm:huggingFaceToken": {"secure": "AAABAF0nq2lq"}}
    encrypted = write_stack(tmp_path, "encrypted", secret)
    assert run(capsys, "plan", without)[0] == STOPPED
    assert run(capsys, "plan", without, "--assume-token")[0] == DEPLOYABLE
    assert run(capsys, "plan", encrypted)[0] == DEPLOYABLE


def test_a_token_in_plain_is_refused_and_never_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"
    config = {**values([GATED], gpuPools=["l4"]), "ray-llm:huggingFaceToken": token}
    path = write_stack(tmp_path, "x", config)
    for command in (["plan"], ["plan", "--json"], ["plan", "--markdown"], ["check"]):
        code, out, err = run(capsys, *command, path)
        assert code == STOPPED
        assert token not in out + err


def test_json_is_the_plan_with_every_key_of_its_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_stack(tmp_path, "x", values([small()], gpuPools=["l4"], monthlyBudget="9000"))
    code, out, _ = run(capsys, "plan", path, "--json")
    document = json.loads(out)
    assert code == DEPLOYABLE
    assert set(document) == PlanSummary.__required_keys__ | {"problems"}
    assert document["models"][0]["gpu"] == "l4"
    assert document["cost"]["monthlyBudget"] == 9000


def test_json_of_a_stop_names_place_and_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_stack(tmp_path, "x", values([small("l5")], gpuPools=["l4"]))
    code, out, _ = run(capsys, "plan", path, "--json")
    assert code == STOPPED
    (stop,) = json.loads(out)["stops"]
    assert (stop["path"], stop["rule"]) == ("ray-llm:models[0].gpu", "pool-unknown")
    assert stop["severity"] == "stop"


def test_json_gives_ways_out_as_changes_of_the_file_with_their_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_stack(tmp_path, "x", values([small("l4-x2")], gpuPools=["l4"]))
    _, out, _ = run(capsys, "plan", path, "--json")
    (stop,) = json.loads(out)["stops"]
    use, add = stop["waysOut"]
    assert use["edits"] == [{"action": "set", "path": "ray-llm:models[0].gpu", "value": "l4"}]
    assert add["edits"] == [{"action": "append", "path": "ray-llm:gpuPools", "value": "l4-x2"}]
    assert use["usdPerMonthMore"] == 0
    assert add["usdPerMonthMore"] == round(add["usdPerMonth"] - use["usdPerMonth"], 2) > 0


def test_json_gives_the_ways_out_of_a_warning_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = {**small(), "engine": {"enforce_eager": True}}
    path = write_stack(tmp_path, "x", values([model], gpuPools=["l4"]))
    _, out, _ = run(capsys, "plan", path, "--json")
    (warning,) = json.loads(out)["problems"]
    assert (warning["rule"], warning["severity"]) == ("eager-mode", "warn")
    assert warning["waysOut"][0]["edits"] == [
        {"action": "remove", "path": "ray-llm:models[0].engine.enforce_eager"}
    ]


def test_quotas_are_read_from_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    described = {"quotas": [{"metric": "NVIDIA_L4_GPUS", "limit": 8.0, "usage": 1.0}]}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(described)))
    code, out, _ = run(capsys, "quotas")
    assert code == DEPLOYABLE
    assert yaml.safe_load(out) == {"ray-llm:quotas": {"NVIDIA_L4_GPUS": 8}}


def test_json_that_is_nested_without_end_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000, encoding="utf-8")
    for command in (["quotas", deep], ["diff", deep, deep]):
        code, _, err = run(capsys, *command)
        assert code == UNREADABLE
        assert "is nested too deeply" in err


@pytest.mark.parametrize(("key", "value"), [("models", None), ("cost", {}), ("quota", [3])])
def test_a_plan_of_another_form_is_refused(
    key: str, value: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(
        capsys, "plan", "--stack", "dev", "--directory", ROOT, "--assume-token", "--json"
    )
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({**json.loads(out), key: value}), encoding="utf-8")
    code, _, err = run(capsys, "diff", plan, plan)
    assert code == UNREADABLE
    assert "is not a plan" in err


def test_quotas_of_something_else_end_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "region.json").write_text("quotas: []")
    code, _, err = run(capsys, "quotas", tmp_path / "region.json")
    assert code == UNREADABLE
    assert "--format=json" in err


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with a stack in its first commit and a changed stack in its tree."""

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True
        )

    git("init", "--quiet", "--initial-branch=main")
    source: dict[str, Any] = {
        "source": "acme/own",
        "configFile": "own.json",
        "weightGib": 1.0,
        "gpu": "l4",
    }
    (tmp_path / "own.json").write_text(
        (ROOT / "examples/support-7b/config.json").read_text(encoding="utf-8"), encoding="utf-8"
    )
    write_stack(tmp_path, "x", values([small(), source], gpuPools=["l4"]))
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    (tmp_path / "own.json").unlink()
    write_stack(tmp_path, "x", values([small(contextLength=8192)], gpuPools=["l4"]))
    return tmp_path


def test_a_revision_is_planned_with_the_files_it_had(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "diff", "--base", "main", "--stack", "x", "--directory", repository)
    assert code == DEPLOYABLE
    assert "removed: `own` on `l4`" in out
    assert "contextLength 4096 → 8192" in out


def test_a_stack_that_the_revision_lacks_is_new(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_stack(repository, "y", values([small()], gpuPools=["l4"]))
    _, out, _ = run(capsys, "diff", "--base", "main", "--stack", "y", "--directory", repository)
    assert "The stack is new" in out


@pytest.mark.parametrize("revision", ["nowhere", "--output=/tmp/x", ""])
def test_a_revision_that_git_does_not_know_ends_with_2(
    revision: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(
        capsys, "diff", f"--base={revision}", "--stack", "x", "--directory", repository
    )
    assert (code, out) == (UNREADABLE, "")
    assert err


def test_the_last_output_is_compared_with_the_file(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_stack(repository, "old", values([small()], gpuPools=["l4"]))
    _, output, _ = run(capsys, "plan", "--stack", "old", "--directory", repository, "--json")
    monkeypatch.setattr(sys, "stdin", io.StringIO(output))
    code, out, _ = run(capsys, "diff", "-", "--stack", "x", "--directory", repository)
    assert code == DEPLOYABLE
    assert "contextLength 4096 → 8192" in out


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"plan": 3}', '{"version": 1}', "null"])
def test_an_output_that_holds_no_plan_ends_with_2(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.json").write_text(text)
    path = write_stack(tmp_path, "x", values([small()], gpuPools=["l4"]))
    code, out, err = run(capsys, "diff", tmp_path / "old.json", path)
    assert (code, out) == (UNREADABLE, "")
    assert "old.json" in err


@pytest.mark.parametrize("arguments", [["diff"], ["diff", "a"], ["diff", "--base", "main"]])
def test_an_incomplete_comparison_says_what_to_name(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, *arguments)
    assert code == UNREADABLE
    assert "--stack" in err
