"""The names that Ray's LLM code of every release in the table imports from vLLM, without vLLM.

vLLM moves its modules with each release, but not the classes that Ray takes from them. So MODULES
lists the modules of all layouts, and each of them has all names. A module or a name that is
missing raises ImportError: a new release that needs more says so.
"""

import dataclasses
import enum
import importlib.abc
import importlib.machinery
import os
import sys
import types
import uuid
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

MODULES = """
engine engine.arg_utils envs exceptions outputs platforms sampling_params tokenizers tokenizers.mistral
transformers_utils transformers_utils.tokenizers transformers_utils.tokenizers.mistral
usage usage.usage_lib utils utils.network_utils v1 v1.engine v1.engine.async_llm
v1.engine.exceptions
entrypoints entrypoints.launchers entrypoints.launchers.cli_args
entrypoints.openai entrypoints.openai.cli_args entrypoints.openai.protocol
entrypoints.openai.chat_completion entrypoints.openai.chat_completion.protocol
entrypoints.openai.completion entrypoints.openai.completion.protocol
entrypoints.openai.engine entrypoints.openai.engine.protocol
entrypoints.openai.speech_to_text entrypoints.openai.speech_to_text.protocol
entrypoints.openai.translations entrypoints.openai.translations.protocol
entrypoints.pooling entrypoints.pooling.embed entrypoints.pooling.embed.protocol
entrypoints.pooling.score entrypoints.pooling.score.protocol
entrypoints.pooling.scoring entrypoints.pooling.scoring.protocol
entrypoints.serve entrypoints.serve.engine entrypoints.serve.engine.protocol
entrypoints.serve.lora entrypoints.serve.lora.protocol
entrypoints.serve.tokenize entrypoints.serve.tokenize.protocol
entrypoints.serve.utils entrypoints.serve.utils.server_utils
entrypoints.speech_to_text entrypoints.speech_to_text.transcription
entrypoints.speech_to_text.transcription.protocol
""".split()  # noqa: SIM905 - as a list it would fill the screen

MESSAGES = """
ChatCompletionResponse ChatCompletionStreamResponse CompletionResponse CompletionStreamResponse
DetokenizeRequest DetokenizeResponse EmbeddingChatRequest EmbeddingCompletionRequest
EmbeddingResponse ErrorInfo ErrorResponse LoadLoRAAdapterRequest ScoreRequest ScoreResponse
ScoreTextRequest TokenizeChatRequest TokenizeCompletionRequest TokenizeResponse
TranscriptionRequest TranscriptionResponse TranscriptionStreamResponse
""".split()  # noqa: SIM905

# What the release's vLLM accepts: a file of this project's catalogue.
CATALOGUE: dict[str, Any] = yaml.safe_load(Path(os.environ["VLLM_ARGUMENTS"]).read_text())
_TYPES: dict[str, type] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "dict": dict,
    "list": list,
    "none": type(None),
}


class _Message(BaseModel):
    model_config = ConfigDict(extra="allow")


class ChatCompletionRequest(_Message):
    """POST /v1/chat/completions, as far as Ray reads it."""

    model: str | None = None
    messages: list[dict[str, Any]]
    stream: bool | None = False
    max_tokens: int | None = None


class CompletionRequest(_Message):
    """POST /v1/completions, as far as Ray reads it."""

    model: str | None = None
    prompt: str | list[str]
    stream: bool | None = False
    max_tokens: int | None = None


class UsageContext(enum.Enum):
    """Who runs vLLM."""

    OPENAI_API_SERVER = "OPENAI_API_SERVER"


def _check(name: str, value: Any, declared: str) -> None:
    """Raise ValueError unless the catalogue's `str|none [auto, fp8]` allows the value."""
    types_, _, values = declared.partition(" ")
    if type(value) not in [_TYPES[word] for word in types_.split("|")]:
        raise ValueError(f"{name}: {value!r} is {type(value).__name__}, vLLM takes {types_}")
    choices = yaml.safe_load(values) if values else None
    if choices and value is not None and value not in choices:
        raise ValueError(f"{name}: {value!r} is not one of {choices}")


def _arguments(name: str, declared: dict[str, str]) -> type:
    """A dataclass with these arguments as fields, which checks those that are set."""

    def check_all(self: Any) -> None:
        for argument, value in vars(self).items():
            if value is not None:
                _check(argument, value, declared[argument])

    made = dataclasses.make_dataclass(
        name,
        [(argument, Any, None) for argument in declared],
        namespace={"__post_init__": check_all, "create_engine_config": lambda _, **__: {}},
    )
    made.__module__ = "vllm"
    return made


AsyncEngineArgs = _arguments("AsyncEngineArgs", CATALOGUE["engine_arguments"])
FrontendArgs = _arguments(
    "FrontendArgs",
    CATALOGUE.get("serving_arguments", {})
    | dict.fromkeys(CATALOGUE.get("front_end_arguments", []), "bool|int|float|str|list|dict"),
)
VLLMError = type("VLLMError", (Exception,), {})
VLLMClientError = type("VLLMClientError", (VLLMError,), {})

_NAMES: dict[str, Any] = {
    **{name: type(name, (_Message,), {"__module__": "vllm"}) for name in MESSAGES},
    "AsyncEngineArgs": AsyncEngineArgs,
    "AsyncLLM": type("AsyncLLM", (), {}),
    "ChatCompletionRequest": ChatCompletionRequest,
    "CompletionRequest": CompletionRequest,
    "EngineDeadError": type("EngineDeadError", (VLLMError,), {}),
    "EngineGenerateError": type("EngineGenerateError", (VLLMError,), {}),
    "FrontendArgs": FrontendArgs,
    "RequestOutput": type("RequestOutput", (), {}),
    "RequestOutputKind": enum.Enum("RequestOutputKind", ("CUMULATIVE", "DELTA", "FINAL_ONLY")),
    "UsageContext": UsageContext,
    "VLLMClientError": VLLMClientError,
    "VLLMError": VLLMError,
    "VLLM_USE_V1": True,
    "current_platform": types.SimpleNamespace(device_type="cuda"),
    "maybe_serialize_tool_calls": lambda _: None,
    "random_uuid": lambda: uuid.uuid4().hex,
    "vllm_error_handler": None,
}


class _Modules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and makes the modules of all layouts."""

    def find_spec(self, name: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        if name.removeprefix("vllm.") not in MODULES:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> None:
        """Create the module in the default way."""

    def exec_module(self, module: types.ModuleType) -> None:
        vars(module).update(_NAMES)


globals().update({name: _NAMES[name] for name in MESSAGES})
sys.meta_path.insert(0, _Modules())
