"""Errors of the engine."""

from vllm.exceptions import VLLMServerError


class EngineDeadError(VLLMServerError):
    """The engine's process has ended."""
