"""What a model answers, without what differs from one run to the next."""

import json
import re
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.running import Cluster

HERE: Final = Path(__file__).parent
# Identifiers, times and the numbers of processes, wherever they stand.
_CHANGING: Final = (
    (
        re.compile(
            r"\b(chatcmpl|cmpl|modelperm|chatcmpl-tool|call|embd|stream|resp)-[0-9a-f-]{8,}"
        ),
        r"\1-ID",
    ),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{20,}\b"), "ID"),
    (re.compile(r"(vllm-[\d.]+)-\w+"), r"\1-ID"),
    (re.compile(r"\bpid=\d+"), "pid=PID"),
    (re.compile(r'("created": ?)\d+'), r"\g<1>0"),
    (re.compile(r"/[^\s'\"]*/site-packages/"), ""),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "https://huggingface.co"),
)


def requests() -> list[dict[str, Any]]:
    """The requests that both engines get."""
    found: list[dict[str, Any]] = yaml.safe_load((HERE / "requests.yaml").read_text("utf-8"))
    return found


def recorded(name: str) -> dict[str, Any]:
    """What the real engine was seen to do."""
    found: dict[str, Any] = yaml.safe_load((HERE / f"{name}.yaml").read_text("utf-8"))
    return found


def record(name: str, content: dict[str, Any]) -> None:
    """Write what the real engine does into the file that the tests compare with."""
    head = (
        "# What vLLM 0.29.0 does behind Ray 2.60.0, written by `make e2e-engine ARGS=--record`.\n"
    )
    text = yaml.safe_dump(content, sort_keys=False, width=100, allow_unicode=True)
    (HERE / f"{name}.yaml").write_text(head + text, encoding="utf-8")


def unchanging(text: str, model: str) -> str:
    """The text without identifiers, times and the name of the model."""
    for pattern, replacement in _CHANGING:
        text = pattern.sub(replacement, text)
    return text.replace(model, "MODEL")


def answer(cluster: Cluster, model: str, request: dict[str, Any]) -> dict[str, Any]:
    """Status and body of one request's answer; of a stream, its events."""
    body = request.get("body")
    if body is not None:
        body = {"model": model, **body}
    status, text = cluster.http(f"/{model}/v1/{request['path']}", body, timeout=120)
    text = unchanging(text, model)
    if text.startswith("data: "):
        events = [event.removeprefix("data: ") for event in text.split("\n\n") if event]
        return {"status": status, "events": merged([_parsed(event) for event in events])}
    return {"status": status, "body": _parsed(text)}


def merged(events: list[Any]) -> list[Any]:
    """The events of a stream, with successive pieces of text as one.

    How many tokens an event has depends on the speed of the machine.
    """
    found: list[Any] = []
    for event in events:
        text, before = _text_of(event), _text_of(found[-1]) if found else None
        if text and before and event["choices"][0]["finish_reason"]:
            # The last piece may come with the end.
            before[1][before[0]] += text[1][text[0]]
            text[1][text[0]] = ""
            text = None
        if text and before and shape(event) == shape(found[-1]):
            before[1][before[0]] += text[1][text[0]]
        else:
            found.append(event)
    return found


def _text_of(event: Any) -> tuple[str, dict[str, Any]] | None:
    """Where a piece of the answer's text stands, if the event has one."""
    if not isinstance(event, dict) or not event["choices"]:
        return None
    [choice] = event["choices"]
    holder = choice.get("delta", choice)
    key = "content" if "delta" in choice else "text"
    return (key, holder) if holder.get(key) else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def shape(content: Any) -> Any:
    """The keys of an answer and the types of their values, without values that are null.

    Lists have the shape of their first item: the engines' answers differ in length.
    """
    if isinstance(content, dict):
        return {key: shape(value) for key, value in content.items() if value not in (None, [], {})}
    if isinstance(content, list):
        return [shape(item) for item in content[:1]]
    return "number" if isinstance(content, int | float) else type(content).__name__
