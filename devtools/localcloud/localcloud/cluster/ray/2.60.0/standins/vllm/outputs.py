"""What the engine gives out; Ray Serve names it for KV-aware routing only."""


class RequestOutput:
    """The output of a request."""
