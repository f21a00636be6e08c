"""`doctor`, `status` and `logs` as people run them, against a small server in place of the API."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diagnosis import Finding, Gravity, Mend, Part, Unseen, diagnose
from reports.command_line import main
from reports.doctor_text import Report, doctor_data, doctor_text
from reports.durations import age
from reports.sources import plan_of_file
from tests.diagnosis.api_server import TOKEN, ApiServer, running
from tests.diagnosis.snapshots import WORKER, failing, well
from tests.diagnosis.test_gathering import APPLICATIONS, LOGS, NAMESPACE, SERVICE, answers
from tests.diagnosis.test_judgement import GATED
from tests.planning.small_stacks import small, values, write_stack

WELL, WRONG, UNKNOWN = 0, 1, 2
MODELS = [small(name="chat", replicas={"min": 1}), small(name="rare", replicas={"min": 0})]
HUB_TOKEN = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    pools = [{"tier": "l4", "maxNodes": 2}]
    return write_stack(tmp_path, "prod", values(MODELS, gpuPools=pools))


@pytest.fixture
def server(tmp_path: Path, stack: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with running(ApiServer()) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        plan = plan_of_file(stack)
        server.answers = answers(replace(well(plan)))
        yield server


def run(capsys: pytest.CaptureFixture[str], stack: Path, *arguments: str) -> tuple[int, str, str]:
    name, *others = arguments
    code = main([name, *others, "--stack-file", str(stack)])
    captured = capsys.readouterr()
    assert TOKEN not in captured.out + captured.err
    assert "Traceback (most recent" not in captured.err
    return code, captured.out, captured.err


def gated(server: ApiServer) -> None:
    """The model `chat` fails in the answers."""
    for application in server.answers[APPLICATIONS]["applications"].values():
        if application["route_prefix"] == "/chat":
            application["status"] = "DEPLOY_FAILED"
            deployment = application["deployments"]["LLMServer:chat"]
            deployment |= {"status": "DEPLOY_FAILED", "message": f"{GATED} {HUB_TOKEN}"}


def test_a_well_service_has_exit_code_0(
    server: ApiServer, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, stack, "doctor")
    assert (code, err) == (WELL, "")
    assert "prod: ai/llm-serving in context llm: it is well" in " ".join(out.split())


def test_what_is_wrong_has_exit_code_1_a_line_of_the_file_and_a_command(
    server: ApiServer, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gated(server)
    code, out, _ = run(capsys, stack, "doctor")
    assert code == WRONG
    words = " ".join(out.split())
    assert "WRONG model chat: its repository is gated" in words
    assert "mend Pulumi.prod.yaml ray-llm:huggingFaceToken: Accept the terms" in words
    assert "$ pulumi config set --secret ray-llm:huggingFaceToken" in out
    assert HUB_TOKEN not in out
    assert max(len(line) for line in out.splitlines() if "$" not in line) <= 100


def test_json_says_the_same(
    server: ApiServer, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gated(server)
    code, out, _ = run(capsys, stack, "doctor", "--json")
    data = json.loads(out)
    assert (code, data["well"]) == (WRONG, False)
    finding = next(item for item in data["findings"] if item["rule"] == "model-gated")
    assert finding["subject"] == "model chat"
    assert finding["mend"]["command"].startswith("pulumi config set")
    assert HUB_TOKEN not in out


def test_what_cannot_be_known_has_exit_code_2(
    server: ApiServer, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers |= {SERVICE: 403, f"{NAMESPACE}/pods": 403, APPLICATIONS: 403}
    code, out, _ = run(capsys, stack, "doctor")
    assert code == UNKNOWN
    assert "not enough could be seen to say that it is well" in " ".join(out.split())
    assert "you have no right to it" in out
    assert json.loads(run(capsys, stack, "doctor", "--json")[1])["well"] is None


@pytest.mark.parametrize("command", [["doctor"], ["status"], ["logs", "chat"]])
def test_no_kubeconfig_is_one_sentence(
    command: list[str],
    stack: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/at/all")
    code, out, err = run(capsys, stack, *command)
    assert (code, out) == (UNKNOWN, "")
    assert err.startswith("There is no kubeconfig at /nowhere/at/all.")
    assert len(err.splitlines()) == 1


def test_status_is_a_table(
    server: ApiServer, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, stack, "status")
    assert code == WELL
    rows = {line.split()[0]: line for line in out.splitlines()[2:] if line[0] != " "}
    assert "running" in rows["chat"]
    assert "asleep" in rows["rare"]
    data = json.loads(run(capsys, stack, "status", "--json")[1])
    assert [item["model"] for item in data["models"]] == ["chat", "rare"]


def test_logs_are_in_order_and_without_secrets(
    server: ApiServer, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers[LOGS] = (
        "INFO 2026-11-29 02:00:00,000 chat -- Started.\n"
        f"ERROR 2026-11-29 02:00:09,000 chat -- bad {HUB_TOKEN}\nValueError: x\n"
    )
    server.answers[f"{NAMESPACE}/pods/{WORKER}/log"] = "2026-11-29T10:00:05.5Z ray start\n"
    code, out, _ = run(capsys, stack, "logs", "chat")
    assert code == WELL
    lines = out.splitlines()
    assert [line.split()[0:2] for line in lines] == sorted(line.split()[0:2] for line in lines)
    assert HUB_TOKEN not in out
    _, errors, _ = run(capsys, stack, "logs", "chat", "--errors")
    assert "ValueError: x" in errors
    assert "Started" not in errors


def test_a_pod_whose_log_cannot_be_read_is_named(
    server: ApiServer, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers[f"{NAMESPACE}/pods/{WORKER}/log"] = 403
    _, _, err = run(capsys, stack, "logs", "chat")
    assert f"not read: pod {WORKER}: you have no right to it" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["logs", "chatt"], "Did you mean chat? It has chat, rare."),
        (["logs", "chat", "--since", "soon"], "--since soon: is no age."),
        (["doctor", "--stack", "prod"], "Name a stack or a file, not both"),
        (["doctor", "--context", "lm"], "Did you mean llm?"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    words: str,
    server: ApiServer,
    stack: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(capsys, stack, *arguments)
    assert (code, out) == (UNKNOWN, "")
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_stack_file_without_a_plan_is_no_fault_of_what_runs(
    server: ApiServer, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.write_text(stack.read_text().replace("ray-llm:", "ray-lm:"))
    code, out, err = run(capsys, stack, "doctor")
    assert (code, out) == (UNKNOWN, "")
    assert "has no such section" in err


def test_no_stack_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == UNKNOWN
    assert capsys.readouterr().err.startswith("Name a stack: --stack NAME")


def test_objects_of_odd_forms_end_in_no_traceback(
    server: ApiServer, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd: list[Any] = [{"items": 7}, {"items": [7, None, {}]}, {"items": [{"metadata": 7}]}, {}]
    paths = [path for path in server.answers if path != "/version"]
    whole = dict(server.answers)
    for answer in odd:
        server.answers = {**whole, **dict.fromkeys(paths, answer)}
        for command in (["doctor"], ["status"], ["logs", "chat"]):
            assert run(capsys, stack, *command)[0] in {WELL, WRONG, UNKNOWN}


def test_a_plan_does_not_wait_for_the_client() -> None:
    check = (
        "import sys; from reports.command_line import main; "
        "main(['plan', '--stack', 'prod', '--assume-token']); import reports.drift; "
        "sys.exit(str({'lightkube', 'httpx2', 'reports.cluster_commands'} & sys.modules.keys()))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == "set()"


def test_a_finding_has_its_age_and_its_line(stack: Path) -> None:
    plan = plan_of_file(stack)
    finding = Finding(
        rule="queue",
        subject="model chat",
        what="it waits",
        why="because",
        since=well().now.replace(hour=11),
        gravity=Gravity.NOTE,
        mend=Mend(path="ray-llm:models[1].replicas.max", text="Raise it."),
    )
    report = Report(
        plan=plan,
        context="llm",
        file=stack,
        text=stack.read_text(),
        findings=(finding,),
        snapshot=replace(well(), unseen=(Unseen(part=Part.NODES, why="no right"),)),
    )
    text = doctor_text(report)
    assert "(for 60 min, since 2026-11-29 11:00:00 UTC)" in text
    line = report.place(finding)
    assert line in text
    assert stack.read_text().splitlines()[int(line.partition(":")[2]) - 1].strip() == "max: 4" or (
        "rare" in stack.read_text()
    )
    assert "unseen nodes: no right" in text
    assert doctor_data(report)["well"] is True


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (40, "40 s"), (840, "14 min"), (12_600, "3.5 h"), (172_800, "2.0 d")],
)
def test_ages_are_in_words(seconds: float, words: str) -> None:
    assert age(seconds) == words


def test_the_constructed_failure_is_one_of_this_stack(stack: Path) -> None:
    """`failing` and the answers above mean the same."""
    found = {item.rule for item in diagnose(failing(GATED), plan_of_file(stack))}
    assert "model-gated" in found
