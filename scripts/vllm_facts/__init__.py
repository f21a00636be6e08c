"""Reads what each vLLM release accepts from its source, for models/catalog/vllm/."""
