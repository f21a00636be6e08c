"""Asks the stand-in engine of Ray 2.60.0, without Ray: JSON requests on stdin, answers on stdout.

Runs with the stand-ins on PYTHONPATH, as the Python of a pod does.
"""

import asyncio
import json
import sys
from typing import Any

from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.openai.completion.protocol import CompletionRequest
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm_answers import VllmEcho


async def ask(engine: VllmEcho, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The status and the body, or of a stream the events."""
    if path == "completions":
        found = await engine.create_completion(CompletionRequest(**body), None)
    else:
        found = await engine.create_chat_completion(ChatCompletionRequest(**body), None)
    if isinstance(found, ErrorResponse):
        return {"status": found.error.code, "message": found.error.message}
    if hasattr(found, "__aiter__"):
        return {"status": 200, "events": [event async for event in found]}
    return {"status": 200, "body": found.model_dump()}


async def main() -> None:
    """Answer all requests with one engine."""
    asked = json.load(sys.stdin)
    engine = VllmEcho("model", asked["engine"])
    answers = [await ask(engine, each["path"], each["body"]) for each in asked["requests"]]
    json.dump(answers, sys.stdout)


asyncio.run(main())
