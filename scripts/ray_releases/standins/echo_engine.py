"""The local cluster's echo engine (echo.py) behind Ray Serve LLM of every release in the table."""

import importlib
import types
from typing import Any

from echo import Echo, Health, check_gpus, start_as_told
from openai_messages import ChatCompletionRequest

_PLACES = (
    "ray.llm._internal.serve.engines.vllm.vllm_engine",
    "ray.llm._internal.serve.deployments.llm.vllm.vllm_engine",
)


def _engine_class() -> Any:
    """Ray's engine class, from where this release has it."""
    for place in _PLACES:
        try:
            return importlib.import_module(place).VLLMEngine
        except ModuleNotFoundError as error:
            if not place.startswith(str(error.name)):
                raise
    raise ImportError(f"this Ray has no VLLMEngine in {' or '.join(_PLACES)}")


class EchoEngine(_engine_class()):  # type: ignore[misc]
    """Ray Serve's vLLM engine class, with `start` and everything after it replaced."""

    async def start(self) -> None:
        """Check the engine arguments, take the GPUs, and become ready.

        Raises RuntimeError with the text that the faults file gives for this model.
        """
        model_id = self.llm_config.model_id
        await start_as_told(model_id)
        engine = self.llm_config.get_engine_config()
        if hasattr(self.llm_config, "get_or_create_callback"):
            context = self.llm_config.get_or_create_callback().ctx
        else:
            context = types.SimpleNamespace(
                placement_group=engine.get_or_create_pg(),
                runtime_env=engine.get_runtime_env_with_local_env_vars(),
            )
        self._prepare_engine_config(context)
        check_gpus(context.placement_group, engine.num_devices)
        self._engine_client = Health(model_id)
        self._oai_serving_chat = self._oai_serving_completion = Echo(model_id)
        self._running = True

    async def build_asgi_app(self) -> Any:
        """The front end that Ray's direct streaming asks for: chat and the list of models."""
        from fastapi import FastAPI
        from fastapi.responses import StreamingResponse

        app, echo = FastAPI(), self._oai_serving_chat

        @app.post("/v1/chat/completions")
        async def chat(request: ChatCompletionRequest) -> Any:
            answer = await echo.create_chat_completion(request, None)
            if request.stream:
                return StreamingResponse(answer, media_type="text/event-stream")
            return answer

        @app.get("/v1/models")
        async def models() -> Any:
            return {"object": "list", "data": [{"id": echo.model_id, "object": "model"}]}

        return app
