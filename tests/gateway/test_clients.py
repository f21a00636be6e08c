"""OpenAI's official clients, in Python and in Go, against the real gateway."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.gateway.backend import Backend, running_backend
from tests.gateway.gateway import Gateway, running_gateway, value
from tests.gateway.openai_backend import SLOW, WORDS, answer_openai
from tests.manifests.gateway.stacks import gateway_plan, key
from tests.manifests.plans import model

GO_CLIENT = Path(__file__).parent / "go"
TEXT = "".join(WORDS)


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with running_backend(answer_openai) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    keys = (key("all"), key("few", "a"), key("spent", per_minute=1))
    made = gateway_plan(*keys, models=(model("a"), model("b.1")))
    with running_gateway(tmp_path_factory.mktemp("gateway"), made, {"": backend.port}) as running:
        yield running


def client(gateway: Gateway, team: str = "all", **options: float) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{gateway.url}/v1", api_key=value(team), max_retries=0, timeout=20, **options
    )


def say(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("name", ["a", "b.1"])
def test_python_asks_every_model_at_one_url(gateway: Gateway, name: str) -> None:
    got = client(gateway).chat.completions.create(model=name, messages=say("hello"))
    assert (got.model, got.choices[0].message.content) == (name, TEXT)


def test_python_streams(gateway: Gateway) -> None:
    events = client(gateway).chat.completions.create(model="a", messages=say("hello"), stream=True)
    assert "".join(event.choices[0].delta.content or "" for event in events) == TEXT


def test_python_calls_tools(gateway: Gateway, backend: Backend) -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    got = client(gateway).chat.completions.create(model="a", messages=say("?"), tools=[tool])
    [call] = got.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Bern"}')
    assert backend.seen[-1].json["tools"] == [tool]


def test_python_embeds_and_lists_models(gateway: Gateway) -> None:
    made = client(gateway).embeddings.create(model="b.1", input="x", encoding_format="float")
    assert made.data[0].embedding == [0.5, 0.25]
    assert [item.id for item in client(gateway).models.list()] == ["a", "b.1"]
    assert [item.id for item in client(gateway, "few").models.list()] == ["a"]
    assert client(gateway).models.retrieve("b.1").id == "b.1"


def test_python_gives_up_after_its_own_timeout_and_goes_on(gateway: Gateway) -> None:
    impatient = client(gateway).with_options(timeout=0.5)
    with pytest.raises(openai.APITimeoutError):
        impatient.chat.completions.create(model="a", messages=say(SLOW))
    got = client(gateway).chat.completions.create(model="a", messages=say("hello"))
    assert got.choices[0].message.content == TEXT


@pytest.mark.parametrize(
    ("team", "name", "error", "code"),
    [
        ("nobody", "a", openai.AuthenticationError, "invalid_api_key"),
        ("few", "b.1", openai.PermissionDeniedError, "model_not_allowed"),
        ("all", "none", openai.NotFoundError, "model_not_found"),
    ],
)
def test_python_reads_errors(
    gateway: Gateway, team: str, name: str, error: type[openai.APIStatusError], code: str
) -> None:
    with pytest.raises(error) as raised:
        client(gateway, team).chat.completions.create(model=name, messages=say("hello"))
    assert raised.value.code == code
    assert raised.value.request_id


def test_python_reads_the_limit(gateway: Gateway) -> None:
    asked = client(gateway, "spent").chat.completions
    # The three pods of a rollout have a request each at once, and here is one pod alone.
    for _ in range(3):
        asked.create(model="a", messages=say("hello"))
    with pytest.raises(openai.RateLimitError) as raised:
        asked.create(model="a", messages=say("hello"))
    assert raised.value.code == "rate_limit_exceeded"
    assert raised.value.response.headers["retry-after"] == "60"


@pytest.fixture(scope="module")
def go_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, built into a folder of this run; Go keeps what it compiled in its cache."""
    program = tmp_path_factory.mktemp("go") / "ask"
    built = subprocess.run(
        ["go", "build", "-o", str(program), "."],
        cwd=GO_CLIENT,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return program


def test_go_asks_streams_calls_tools_and_reads_errors(gateway: Gateway, go_client: Path) -> None:
    done = subprocess.run(
        [go_client],
        env={
            "OPENAI_BASE_URL": f"{gateway.url}/v1",
            "KEY": value("all"),
            "LIMITED_KEY": value("few"),
            "MODEL": "a",
            "OTHER_MODEL": "b.1",
            "SLOW": SLOW,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "text": TEXT,
        "stream": TEXT,
        "tool": "weather",
        "models": ["a", "b.1"],
        "without_key": 401,
        "forbidden": 403,
        "forbidden_code": "model_not_allowed",
        "unknown": 404,
        "timeout": True,
    }
