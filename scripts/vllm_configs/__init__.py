"""Runs the configuration code of the pinned vLLM releases beside the plan, without a GPU."""
