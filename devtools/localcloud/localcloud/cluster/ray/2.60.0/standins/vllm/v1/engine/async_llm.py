"""The engine's client; Ray Serve names it for KV-aware routing only."""


class AsyncLLM:
    """The client of a running engine."""
