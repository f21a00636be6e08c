"""A backend that speaks enough of OpenAI's API for its clients: text, streams, tools."""

import json
import time
from typing import Any

from tests.gateway.backend import Handler, Seen

WORDS = ("one ", "two ", "three")
SLOW = "slow"


def answer_openai(handler: Handler, seen: Seen) -> None:
    """Answers chat and embeddings; a message `slow` is answered after seconds."""
    body = seen.json
    if seen.path.endswith("/embeddings"):
        data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        _send(handler, {"object": "list", "model": body["model"], "data": data, "usage": usage})
        return
    if body["messages"][-1]["content"] == SLOW:
        time.sleep(3)
    if body.get("stream"):
        handler.begin_stream()
        for word in WORDS:
            event = _chat(body, "chat.completion.chunk", delta={"content": word})
            handler.chunk(f"data: {json.dumps(event)}\n\n".encode())
        handler.chunk(b"data: [DONE]\n\n")
        handler.chunk(b"")
        return
    message: dict[str, Any] = {"role": "assistant", "content": "".join(WORDS)}
    if tools := body.get("tools"):
        call = {"name": tools[0]["function"]["name"], "arguments": '{"city": "Bern"}'}
        message |= {
            "content": None,
            "tool_calls": [{"id": "call-1", "type": "function", "function": call}],
        }
    _send(handler, _chat(body, "chat.completion", message=message))


def _chat(body: dict[str, Any], kind: str, **part: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": None, **part}
    return {"id": "x", "object": kind, "created": 1, "model": body["model"], "choices": [choice]}


def _send(handler: Handler, value: dict[str, Any]) -> None:
    handler.send(200, json.dumps(value).encode())
