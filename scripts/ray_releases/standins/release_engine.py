"""An engine without a model, for Ray's LLM server of every release in the table.

Everything around it is Ray's: arguments reach it through Ray's own code, the placement group and
its GPUs are taken, requests and streams pass through router and server. The answer is always
`<model>: <last message>`, a word a token.

ENGINE_FAULTS names a JSON file that is read whenever an engine starts or answers:
{"MODEL": {"start": "error text", "start_seconds": 5, "token_seconds": 0.05}}.
"""

import asyncio
import importlib
import json
import os
import types
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

_PLACES = (
    "ray.llm._internal.serve.engines.vllm.vllm_engine",
    "ray.llm._internal.serve.deployments.llm.vllm.vllm_engine",
)


def _engine_class() -> type:
    """Ray's engine class, where this release has it."""
    for place in _PLACES:
        try:
            found: type = importlib.import_module(place).VLLMEngine
        except ModuleNotFoundError as error:
            if not place.startswith(str(error.name)):
                raise
            continue
        return found
    raise ImportError(f"this Ray has no VLLMEngine in {' or '.join(_PLACES)}")


def faults(model: str) -> dict[str, Any]:
    """The faults of a model at this moment."""
    path = Path(os.environ["ENGINE_FAULTS"])
    table = json.loads(path.read_text()) if path.exists() else {}
    return dict(table.get(model, {}))


class ReleaseEngine(_engine_class()):  # type: ignore[misc]
    """Ray's engine class, with `start` and everything after it replaced."""

    async def start(self) -> None:
        """Check the arguments through Ray, take the GPUs, and become ready."""
        model = self.llm_config.model_id
        fault = faults(model)
        await asyncio.sleep(fault.get("start_seconds", 0))
        if "start" in fault:
            raise RuntimeError(fault["start"])
        config = self.llm_config.get_engine_config()
        group = config.get_or_create_pg()
        variables = config.get_runtime_env_with_local_env_vars()
        self._prepare_engine_config(
            types.SimpleNamespace(placement_group=group, runtime_env=variables)
        )
        gpus = sum(bundle.get("GPU", 0) for bundle in group.bundle_specs)
        if gpus != config.num_devices:
            raise RuntimeError(
                f"the placement group {group.bundle_specs} has {gpus} GPUs, not {config.num_devices}"
            )
        self._engine_client = _Health()
        self._oai_models = self._oai_serving_chat = self._oai_serving_completion = _Echo(model)
        self._running = True

    async def build_asgi_app(self) -> Any:
        """The front end that Ray's direct streaming puts into the replica, as far as it is asked."""
        from fastapi import FastAPI, Request
        from fastapi.responses import JSONResponse, StreamingResponse

        app, echo = FastAPI(), self._oai_serving_chat

        @app.post("/v1/chat/completions")
        async def chat(request: Request) -> Any:
            body = await request.json()
            answer = await echo.create_chat_completion(types.SimpleNamespace(**body))
            if body.get("stream"):
                return StreamingResponse(answer, media_type="text/event-stream")
            return JSONResponse(answer.model_dump())

        @app.get("/v1/models")
        async def models() -> Any:
            return {"object": "list", "data": [{"id": echo.model, "object": "model"}]}

        return app


class _Health:
    async def check_health(self) -> None:
        """Be well."""


class _Echo:
    def __init__(self, model: str):
        self.model = model

    async def create_chat_completion(self, request: Any, raw_request: Any = None) -> Any:  # noqa: ARG002
        from vllm import ChatCompletionResponse

        last = request.messages[-1]["content"]
        return await self._answer(request, str(last), "chat.completion", ChatCompletionResponse)

    async def create_completion(self, request: Any, raw_request: Any = None) -> Any:  # noqa: ARG002
        from vllm import CompletionResponse

        text = request.prompt if isinstance(request.prompt, str) else request.prompt[0]
        return await self._answer(request, text, "text_completion", CompletionResponse)

    async def _answer(self, request: Any, text: str, kind: str, response: type) -> Any:
        limit = getattr(request, "max_tokens", None)
        words = f"{self.model}: {text}".split()[:limit]
        seconds = faults(self.model).get("token_seconds", 0)
        if getattr(request, "stream", False):
            return self._stream(words, kind, seconds)
        await asyncio.sleep(seconds * len(words))
        message = {"role": "assistant", "content": " ".join(words)}
        said = {"message": message} if kind == "chat.completion" else {"text": " ".join(words)}
        return response(
            id=uuid.uuid4().hex,
            object=kind,
            model=self.model,
            choices=[{"index": 0, "finish_reason": "stop", **said}],
            usage={"prompt_tokens": len(text.split()), "completion_tokens": len(words)},
        )

    async def _stream(
        self, words: list[str], kind: str, seconds: float
    ) -> AsyncGenerator[str, None]:
        for word in words:
            await asyncio.sleep(seconds)
            choice: dict[str, Any] = {"index": 0, "finish_reason": None}
            if kind == "chat.completion":
                choice["delta"] = {"role": "assistant", "content": f"{word} "}
            else:
                choice["text"] = f"{word} "
            chunk = {"id": "stream", "object": kind, "model": self.model, "choices": [choice]}
            yield f"data: {json.dumps(chunk)}\n\n"
        yield "data: [DONE]\n\n"
