"""`ray-llm measure` as people run it, against a small server that streams."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from measuring import Load, LoadError, measured_levels
from models.measurements import measurement_path, read_measurement
from reports.command_line import main
from reports.sources import plan_of_file
from tests.diagnosis.api_server import ApiServer, running
from tests.diagnosis.snapshots import well
from tests.diagnosis.test_gathering import APPLICATIONS, answers
from tests.measuring.completions_server import KEY, Completions, serving
from tests.planning.small_stacks import small, values, write_stack

WRITTEN, FAILED, UNKNOWN = 0, 1, 2
MODELS = [small(name="chat"), {"model": "qwen3-embedding-0.6b", "name": "embed", "gpu": "l4"}]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return write_stack(tmp_path, "prod", values(MODELS, gpuPools=["l4"]))


@pytest.fixture
def server() -> Iterator[Completions]:
    with serving(Completions("chat")) as server:
        yield server


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str],
    stack: Path,
    server: Completions,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def measure(
        model: str = "chat", *options: str, replicas: int | None = 1
    ) -> tuple[int, str, str]:
        more = [] if replicas is None else ["--replicas", str(replicas)]
        url = [] if "--url" in options else ["--url", server.url]
        code = main(
            ["measure", model, "--stack-file", str(stack), "--seconds", "2", *url, *more, *options]
        )
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        assert KEY not in captured.out + captured.err
        return code, captured.out, captured.err

    return measure


def file_of(stack: Path) -> Path:
    return measurement_path(stack.parent, "prod", "chat")


def test_a_model_is_measured_at_three_loads_and_the_plan_shows_it(
    run: Run, server: Completions, stack: Path
) -> None:
    code, out, err = run()
    assert code == WRITTEN, err
    measurement = read_measurement(file_of(stack))
    assert measurement is not None
    assert [level.requests_at_once for level in measurement.levels] == [1, 8, 32]
    assert server.most_at_once == 32
    assert isinstance(measurement.measured, date)
    one, eight, _ = measurement.levels
    # The server has a token every 2 ms at the earliest, after 20 ms, for each request by itself.
    assert one.inter_token.median >= 0.0019
    assert one.time_to_first_token.median >= 0.0199
    assert one.output_tokens_per_second <= 500
    assert eight.output_tokens_per_second > one.output_tokens_per_second
    assert measurement.output_tokens == 128
    assert "chat on 1 replica; prompts of 193 and answers of 128 tokens" in out
    plan = plan_of_file(stack)
    assert plan.speeds["chat"].changed == ()
    assert set(plan.speeds["chat"].usd_per_million_tokens) == {1, 8, 32}


def test_prompts_are_all_different_from_their_first_word_on(run: Run, server: Completions) -> None:
    run()
    firsts = [body["prompt"].split()[0] for body in server.bodies]
    assert len(set(firsts)) == len(firsts) > 40
    assert all(body["ignore_eos"] and body["stream"] for body in server.bodies)


def test_a_key_of_the_environment_is_sent_and_shown_nowhere(
    run: Run, server: Completions, stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = KEY
    code, _, err = run()
    assert code == UNKNOWN
    assert "does not accept the key (HTTP 401" in err
    assert "environment variable OPENAI_API_KEY" in err
    monkeypatch.setenv("TEAM_KEY", KEY)
    server.key = "another"
    code, _, err = run("chat", "--key-env", "TEAM_KEY")
    assert code == UNKNOWN
    assert "is not known" in err
    assert "environment variable TEAM_KEY" in err
    server.key = KEY
    code, _, err = run("chat", "--key-env", "TEAM_KEY")
    assert code == WRITTEN, err
    assert KEY not in file_of(stack).read_text()


def test_a_limit_ends_the_test_at_once(run: Run, server: Completions, stack: Path) -> None:
    server.refusals = {12: (429, "30 requests a minute")}
    code, _, err = run()
    assert code == FAILED
    assert "limits requests or tokens (HTTP 429: 30 requests a minute)" in err
    assert "a key without limits" in err
    assert len(server.bodies) < 12 + 33
    assert not file_of(stack).exists()


def test_a_stream_that_stops_in_the_middle_is_no_answer(
    run: Run, server: Completions, stack: Path
) -> None:
    server.stops_after = 5
    code, out, err = run()
    assert code == FAILED
    assert "an answer stopped in the middle" in err
    assert "ray-llm doctor --stack prod" in err
    assert (out, file_of(stack).exists()) == ("", False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"refusals": {0: (400, "no such thing")}}, "HTTP 400: no such thing"),
        ({"refusals": {0: (500, "")}}, "HTTP 500"),
        ({"silent": True}, "does not say how many tokens"),
        ({"model": "other"}, "the server has no model chat at this address: Not Found"),
        ({"stops_after": 0}, "an answer stopped in the middle"),
    ],
)
def test_a_first_request_that_fails_says_why(
    run: Run, server: Completions, stack: Path, change: dict[str, Any], said: str
) -> None:
    for name, value in change.items():
        setattr(server, name, value)
    code, out, err = run()
    assert code == UNKNOWN
    assert said in err
    assert (out, file_of(stack).exists()) == ("", False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("chta",), "has no model chta. Did you mean chat?"),
        (("embed",), "embed is served for embed, and only models that generate are measured"),
        (("chat", "--url", "llm.acme.example"), "is no address. Write http://HOST:PORT."),
        (("chat", "--url", "http://127.0.0.1:1"), "nothing answers at http://127.0.0.1:1"),
        (("chat", "--url", "http://[::1"), "Not measured"),
        (("chat", "--url", "http://me:pass-word@127.0.0.1:1"), "at http://127.0.0.1:1"),
        (("chat", "--url", "me:pass-word@llm.acme.example"), "--url: is no address"),
        (("chat", "--url", "http://me:pass-word@h:99999"), "Not measured"),
        (("chat", "--url", "http://127.0.0.1:1?key=pass-word"), "at http://127.0.0.1:1"),
    ],
)
def test_bad_input_is_one_sentence(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (UNKNOWN, "")
    assert said in err
    assert "pass-word" not in err


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (307, "x", "the server sends requests elsewhere (HTTP 307)"),
        (204, "", "Not measured"),
        (500, f"{'x' * 295} {KEY}", "HTTP 500"),
    ],
)
def test_what_is_no_answer_is_one_sentence_without_a_part_of_the_key(
    run: Run,
    server: Completions,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    message: str,
    said: str,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.refusals[0] = (status, message)
    code, out, err = run()
    assert (code, out) == (UNKNOWN, "")
    assert said in err
    assert KEY[:4] not in err.partition(": x")[2]


def test_without_a_cluster_the_number_of_replicas_has_to_be_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    code, _, err = run(replicas=None)
    assert code == UNKNOWN
    assert "There is no kubeconfig" in err
    assert "say with --replicas" in err


@pytest.fixture
def cluster(tmp_path: Path, stack: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with running(ApiServer()) as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        api.answers = answers(replace(well(plan_of_file(stack))))
        yield api


def test_the_cluster_says_how_many_replicas_answer(
    run: Run, cluster: ApiServer, stack: Path
) -> None:
    code, _, err = run(replicas=None)
    assert code == WRITTEN, err
    measurement = read_measurement(file_of(stack))
    assert measurement is not None
    assert measurement.replicas == 1
    assert {method for method, _, _ in cluster.asked} == {"GET"}


@pytest.mark.parametrize(
    ("serve", "said"),
    [
        (404, "Ray Serve does not say how many replicas answer (it is not there)"),
        (403, "Ray Serve does not say how many replicas answer (you have no right"),
    ],
)
def test_a_cluster_without_the_service_is_one_sentence(
    run: Run, cluster: ApiServer, serve: int, said: str
) -> None:
    cluster.answers |= {APPLICATIONS: serve, "/api/v1/nodes": 403}
    code, out, err = run(replicas=None)
    assert (code, out) == (UNKNOWN, "")
    assert said in err


def test_a_service_of_an_older_version_is_not_taken_for_the_planned_one(
    run: Run, cluster: ApiServer, stack: Path
) -> None:
    """One application for all models, as before each had its own."""
    cluster.answers[APPLICATIONS] = {"applications": {"llms": {"status": "RUNNING"}}}
    code, _, err = run(replicas=None)
    assert code == FAILED
    assert "Not written: Ray Serve shows no replica of the model" in err
    assert not file_of(stack).exists()


def test_what_runs_otherwise_than_it_is_planned_is_not_written(
    run: Run, cluster: ApiServer, stack: Path
) -> None:
    content = yaml.safe_load(stack.read_text())
    content["config"]["ray-llm:models"][0]["engine"] = {"max_num_seqs": 7}
    stack.write_text(yaml.safe_dump(content))
    code, out, err = run(replicas=None)
    assert code == FAILED
    assert "What runs is not what the stack file says" in err
    assert "at once" in out
    assert not file_of(stack).exists()


def test_replicas_that_change_meanwhile_are_not_written(
    run: Run, cluster: ApiServer, server: Completions, stack: Path
) -> None:
    def more(*arguments: Any) -> None:
        if len(server.bodies) == 20:
            for application in cluster.answers[APPLICATIONS]["applications"].values():
                for deployment in application["deployments"].values():
                    deployment["replicas"] = [*deployment["replicas"]] * 2
        answer(*arguments)

    answer = server._answer
    server._answer = more  # type: ignore[method-assign]
    code, _, err = run(replicas=None)
    assert code == FAILED
    assert "changed from 1 to 2 meanwhile" in err
    assert not file_of(stack).exists()


def test_ctrl_c_ends_it_without_a_file_or_a_traceback(server: Completions, stack: Path) -> None:
    command = ["measure", "chat", "--stack-file", str(stack), "--url", server.url]
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
            f"from reports.command_line import main; raise SystemExit(main({command!r} + "
            "['--replicas', '1', '--seconds', '60']))",
        ],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    for _ in range(600):
        if len(server.bodies) > 3:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == UNKNOWN, err
    assert "Not measured: stopped. Nothing was written." in err
    assert "Traceback" not in out + err
    assert not file_of(stack).exists()


def test_tokens_after_the_end_of_a_level_do_not_count(server: Completions) -> None:
    # 128 tokens take 6.4 s, of which the level sees two.
    server.token_seconds = 0.05
    load = Load(
        base_url=f"{server.url}/chat/v1",
        model="chat",
        key=None,
        words=4,
        output_tokens=128,
        seconds=2,
        first_seconds=60,
        levels=(1,),
    )
    (level,) = measured_levels(load, lambda _: None).levels
    assert level.requests == 1
    assert level.output_tokens_per_second <= 20.0


@pytest.mark.parametrize("count", [10**400, -3, True, 0.5, "4", None])
def test_a_number_of_tokens_that_is_none_ends_the_test(server: Completions, count: Any) -> None:
    server.usage = {"prompt_tokens": 3, "completion_tokens": count}
    load = Load(
        base_url=f"{server.url}/chat/v1",
        model="chat",
        key=None,
        words=4,
        output_tokens=4,
        seconds=2,
        first_seconds=10,
    )
    with pytest.raises(LoadError, match="does not say how many tokens"):
        measured_levels(load, lambda _: None)


def test_a_server_that_never_answers_is_given_up(server: Completions) -> None:
    server.first_seconds = 30
    load = Load(
        base_url=f"{server.url}/chat/v1",
        model="chat",
        key=None,
        words=4,
        output_tokens=4,
        seconds=2,
        first_seconds=0.5,
    )
    with pytest.raises(LoadError, match="not answered within"):
        measured_levels(load, lambda _: None)
