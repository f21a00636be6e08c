"""The echo in the form of vLLM 0.29.0, and what that refuses, word by word.

tests/real_engine of the project records what the real one answers, and compares.
"""

import json
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from echo import Echo
from openai_messages import (
    ChatCompletionRequest,
    ChatCompletionResponse,
    CompletionRequest,
    CompletionResponse,
)
from request_counts import RequestCounts
from vllm.entrypoints.serve.engine.protocol import ErrorInfo, ErrorResponse

FINGERPRINT = "vllm-0.29.0-standin"
MOST_LOGPROBS = 20


def refusal(request: Any, engine: Mapping[str, Any]) -> str | None:
    """Why vLLM refuses a request for an engine with these arguments; None if it does not."""
    asked = request.model_dump(exclude_none=True)
    context = engine.get("max_model_len")
    limit = asked.get("max_completion_tokens", asked.get("max_tokens"))
    if asked.get("messages") == []:
        return "Cannot apply chat template to an empty conversation. Provide at least one message."
    choice = asked.get("tool_choice", "auto") if asked.get("tools") else "none"
    if choice == "auto" and not engine.get("enable_auto_tool_choice"):
        return (
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
        )
    if context and limit is not None and limit > context:
        return (
            f"max_tokens={limit} cannot be greater than max_model_len=max_total_tokens={context}. "
            f"Please request fewer output tokens. (parameter=max_tokens, value={limit})"
        )
    if asked.get("n", 1) < 1:
        return f"n must be at least 1, got {asked['n']}."
    if asked.get("temperature", 0.0) < 0:
        value = float(asked["temperature"])
        return (
            f"temperature must be non-negative, got {value}. (parameter=temperature, value={value})"
        )
    if limit is not None and limit < 1:
        return f"max_tokens must be at least 1, got {limit}. (parameter=max_tokens, value={limit})"
    if (count := asked.get("top_logprobs", 0)) > MOST_LOGPROBS:
        return (
            f"Requested sample logprobs of {count}, which is greater than max allowed: "
            f"{MOST_LOGPROBS} (parameter=logprobs, value={count})"
        )
    return None


class VllmEcho(Echo):
    """Answers in the form of vLLM 0.29.0."""

    def __init__(
        self, model_id: str, engine: Mapping[str, Any], counts: RequestCounts | None = None
    ):
        super().__init__(model_id, counts)
        self.engine = engine

    async def create_chat_completion(  # type: ignore[override]
        self, request: ChatCompletionRequest, raw_request: Any
    ) -> ChatCompletionResponse | AsyncGenerator[str, None] | ErrorResponse:
        """Answer or refuse a chat request, perhaps as a stream."""
        if text := refusal(request, self.engine):
            return _error(text)
        answer = await super().create_chat_completion(request, raw_request)
        formed: ChatCompletionResponse | AsyncGenerator[str, None] = self._in_form(answer, request)
        return formed

    async def create_completion(  # type: ignore[override]
        self, request: CompletionRequest, raw_request: Any
    ) -> CompletionResponse | AsyncGenerator[str, None] | ErrorResponse:
        """Answer or refuse a completion request, perhaps as a stream."""
        if text := refusal(request, self.engine):
            return _error(text)
        answer = await super().create_completion(request, raw_request)
        formed: CompletionResponse | AsyncGenerator[str, None] = self._in_form(answer, request)
        return formed

    def _in_form(self, answer: Any, request: Any) -> Any:
        if isinstance(answer, AsyncGenerator):
            options = (request.model_extra or {}).get("stream_options") or {}
            return self._events(answer, with_usage=bool(options.get("include_usage")))
        answer.system_fingerprint = FINGERPRINT
        return answer

    async def _events(
        self, answer: AsyncGenerator[str, None], *, with_usage: bool
    ) -> AsyncGenerator[str, None]:
        """The events of a stream: of a chat, the role comes before the words."""
        identifier, tokens, created = "", 0, int(time.time())
        async for event in answer:
            text = event.removeprefix("data: ").strip()
            if text == "[DONE]":
                break
            chunk: dict[str, Any] = {**json.loads(text), "created": created}
            chat = chunk["object"] == "chat.completion.chunk"
            if not identifier:
                identifier = f"{'chatcmpl' if chat else 'cmpl'}-{uuid.uuid4().hex}"
                if chat:
                    role = {"role": "assistant", "content": ""}
                    choice = {"index": 0, "delta": role, "finish_reason": None}
                    yield _event({**chunk, "id": identifier, "choices": [choice]})
            chunk["id"] = identifier
            [choice] = chunk["choices"]
            last = choice["finish_reason"] is not None
            tokens += not last
            if chat:
                choice["delta"] = {"content": choice["delta"].get("content", "")}
            if last and not with_usage:
                chunk["system_fingerprint"] = FINGERPRINT
            yield _event(chunk)
        if with_usage:
            # The stand-in counts words; those of the prompt are not known here.
            usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": 1 + tokens}
            chunk = {**chunk, "choices": [], "usage": usage, "system_fingerprint": FINGERPRINT}
            yield _event(chunk)
        yield "data: [DONE]\n\n"


def _event(chunk: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(chunk)}\n\n"


def _error(text: str) -> ErrorResponse:
    return ErrorResponse(error=ErrorInfo(message=text, type="BadRequestError", code=400))
