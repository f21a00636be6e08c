"""The request to load a LoRA adapter."""

from openai_messages import LoadLoRAAdapterRequest

__all__ = ["LoadLoRAAdapterRequest"]
