"""Reads from vLLM's source what each release accepts, for models/catalog/vllm/."""
