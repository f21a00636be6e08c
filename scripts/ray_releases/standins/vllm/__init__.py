"""The names that Ray's LLM code of every release in the table imports from vLLM, without vLLM.

vLLM moves its modules with each release, but not the classes that Ray takes from them. So MODULES
lists the modules of all layouts, and each of them has all names. A module or a name that is
missing raises ImportError: a new release that needs more says so.
"""

import enum
import importlib
import importlib.abc
import importlib.machinery
import sys
import types
import uuid
from typing import Any

import engine_arguments
import openai_messages
from openai_messages import Message

MODULES = """
engine engine.arg_utils envs exceptions outputs platforms sampling_params
tokenizers tokenizers.mistral
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

# Messages of which Ray reads nothing here, because nothing asks for them.
_UNREAD = """
DetokenizeRequest DetokenizeResponse ErrorInfo ErrorResponse ScoreRequest ScoreResponse
ScoreTextRequest TokenizeChatRequest TokenizeCompletionRequest TokenizeResponse
TranscriptionRequest TranscriptionResponse TranscriptionStreamResponse
""".split()  # noqa: SIM905


class UsageContext(enum.Enum):
    """Who runs vLLM."""

    OPENAI_API_SERVER = "OPENAI_API_SERVER"


class VLLMError(Exception):
    """The base of vLLM's errors."""


AsyncEngineArgs = engine_arguments.async_engine_args("vllm")
FrontendArgs = engine_arguments.frontend_args("vllm")

_NAMES: dict[str, Any] = {
    **{name: item for name, item in vars(openai_messages).items() if isinstance(item, type)},
    **{name: type(name, (Message,), {"__module__": __name__}) for name in _UNREAD},
    **{
        name: type(name, (VLLMError,), {"__module__": __name__})
        for name in ("EngineDeadError", "EngineGenerateError", "VLLMClientError")
    },
    "AsyncEngineArgs": AsyncEngineArgs,
    "AsyncLLM": object,
    "FrontendArgs": FrontendArgs,
    "RequestOutput": object,
    "RequestOutputKind": enum.Enum("RequestOutputKind", ("CUMULATIVE", "DELTA", "FINAL_ONLY")),
    "UsageContext": UsageContext,
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
        if not name.startswith("vllm.") or name.removeprefix("vllm.") not in MODULES:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> None:
        """Create the module in the default way."""

    def exec_module(self, module: types.ModuleType) -> None:
        vars(module).update(_NAMES)


# Classes that travel between processes are found here by their names.
globals().update({name: _NAMES[name] for name in (*_UNREAD, "VLLMClientError")})
sys.meta_path.insert(0, _Modules())
# Ray reads it as an attribute.
importlib.import_module("vllm.engine.arg_utils")
