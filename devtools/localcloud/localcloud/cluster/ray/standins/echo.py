"""The engine of the local cluster, which echoes every request.

Each release's `echo_engine.py` puts it in place of vLLM's engine (RAYLLM_VLLM_ENGINE_CLS), and
everything around it is real: the engine arguments are checked, the placement group and its GPUs
are taken, and requests and streams pass through Ray Serve. The answer is always
`<model>: <last message>`, one word per token.

ENGINE_FAULTS names a JSON file, read whenever an engine starts or answers,
that makes a model misbehave:
{"MODEL_ID": {"start": "error text", "start_seconds": 5, "token_seconds": 0.05,
"unhealthy": "error text", "running_at_most": 2, "kv_cache_tokens": 100}}; the key "*" means every
model. The last two are those of request_counts.py.
"""

import asyncio
import json
import os
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from openai_messages import (
    ChatCompletionRequest,
    ChatCompletionResponse,
    CompletionRequest,
    CompletionResponse,
    UsageInfo,
)
from request_counts import RequestCounts


def faults(model_id: str) -> dict[str, Any]:
    """The current faults of a model, from the faults file."""
    path = os.environ.get("ENGINE_FAULTS", "")
    try:
        table = json.loads(Path(path).read_text()) if path else {}
    except (OSError, ValueError):
        return {}
    return {**table.get("*", {}), **table.get(model_id, {})}


async def start_as_told(model_id: str) -> None:
    """Take the time to start that the faults file gives for this model.

    Raises RuntimeError with the text that the file gives.
    """
    fault = faults(model_id)
    await asyncio.sleep(fault.get("start_seconds", 0))
    if "start" in fault:
        raise RuntimeError(fault["start"])


def check_weights(source: Any) -> None:
    """Refuse to start with weights in a folder of a mounted bucket that has no config.json.

    Only then is anything of a model read: POD_BUCKETS says where each bucket of this pod is on this
    machine. The words are those of transformers, which vLLM asks first.
    """
    buckets: dict[str, str] = json.loads(os.environ.get("POD_BUCKETS", "{}"))
    for path, here in buckets.items():
        if str(source).startswith(f"{path}/"):
            folder = Path(here + str(source).removeprefix(path))
            if not (folder / "config.json").is_file():
                raise RuntimeError(
                    f"{source} is not a local folder and is not a valid model identifier listed "
                    "on 'https://huggingface.co/models'"
                )


def check_gpus(placement_group: Any, wanted: int) -> None:
    """Refuse to start unless there is a GPU for each of vLLM's workers.

    The group reserves the GPUs for this replica; a worker process per GPU would prove no more.
    """
    bundles = placement_group.bundle_specs
    if (held := sum(bundle.get("GPU", 0) for bundle in bundles)) != wanted:
        raise RuntimeError(f"the placement group {bundles} has {held} GPUs, not {wanted}")


class Health:
    """The client of a running engine."""

    def __init__(self, model_id: str):
        self.model_id = model_id

    async def check_health(self) -> None:
        """Raise RuntimeError with the text that the faults file gives for this model."""
        if text := faults(self.model_id).get("unhealthy"):
            raise RuntimeError(text)

    async def reset_prefix_cache(self) -> None:
        """Do nothing: there is no cache."""


class Echo:
    """What answers: vLLM's `OpenAIServingChat` and `OpenAIServingCompletion` in one."""

    def __init__(self, model_id: str, counts: RequestCounts | None = None):
        self.model_id = model_id
        self.counts = counts or RequestCounts()

    async def create_chat_completion(
        self,
        request: ChatCompletionRequest,
        raw_request: Any,  # noqa: ARG002 - vLLM's signature
    ) -> ChatCompletionResponse | AsyncGenerator[str, None]:
        """Answer a chat request, perhaps as a stream."""
        limit = request.max_completion_tokens or request.max_tokens
        text = str(request.messages[-1].get("content", "")) if request.messages else ""
        tokens, reason = self._answer(text, limit)
        if request.stream:
            return self._stream(text, limit, tokens, reason, chat=True)
        await self._say(text, limit, tokens, reason)
        message = {"role": "assistant", "content": "".join(tokens)}
        return ChatCompletionResponse(
            id=f"chatcmpl-{uuid.uuid4().hex}",
            model=self.model_id,
            choices=[{"index": 0, "message": message, "finish_reason": reason}],
            usage=_usage(text, tokens),
        )

    async def create_completion(
        self,
        request: CompletionRequest,
        raw_request: Any,  # noqa: ARG002 - vLLM's signature
    ) -> CompletionResponse | AsyncGenerator[str, None]:
        """Answer a completion request, perhaps as a stream."""
        text = request.prompt if isinstance(request.prompt, str) else request.prompt[0]
        limit = request.max_tokens
        tokens, reason = self._answer(text, limit)
        if request.stream:
            return self._stream(text, limit, tokens, reason, chat=False)
        await self._say(text, limit, tokens, reason)
        return CompletionResponse(
            id=f"cmpl-{uuid.uuid4().hex}",
            model=self.model_id,
            choices=[{"index": 0, "text": "".join(tokens), "finish_reason": reason}],
            usage=_usage(text, tokens),
        )

    def _answer(self, text: str, limit: int | None) -> tuple[list[str], str]:
        words = f"{self.model_id}: {text}".split()
        cut = words[:limit]
        tokens = [word if i == 0 else f" {word}" for i, word in enumerate(cut)]
        return tokens, "length" if len(cut) < len(words) else "stop"

    async def _think(self) -> None:
        await asyncio.sleep(faults(self.model_id).get("token_seconds", 0))

    async def _say(self, text: str, limit: int | None, tokens: list[str], reason: str) -> None:
        async with self.counts.request(len(text.split()), limit) as request:
            for _ in tokens:
                await self._think()
                request.token()
            request.reason = reason

    async def _stream(
        self, text: str, limit: int | None, tokens: list[str], reason: str, *, chat: bool
    ) -> AsyncGenerator[str, None]:
        identifier = f"stream-{uuid.uuid4().hex}"
        kind = "chat.completion.chunk" if chat else "text_completion"

        def event(token: str | None) -> str:
            choice: dict[str, Any] = {"index": 0, "finish_reason": None if token else reason}
            if chat:
                choice["delta"] = {} if token is None else {"role": "assistant", "content": token}
            else:
                choice["text"] = token or ""
            chunk = {"id": identifier, "object": kind, "model": self.model_id, "choices": [choice]}
            return f"data: {json.dumps(chunk)}\n\n"

        async with self.counts.request(len(text.split()), limit) as request:
            for token in tokens:
                await self._think()
                request.token()
                yield event(token)
            await self._think()
            request.reason = reason
        yield event(None)
        yield "data: [DONE]\n\n"


def _usage(prompt: str, tokens: list[str]) -> UsageInfo:
    words = len(prompt.split())
    return UsageInfo(
        prompt_tokens=words, completion_tokens=len(tokens), total_tokens=words + len(tokens)
    )
