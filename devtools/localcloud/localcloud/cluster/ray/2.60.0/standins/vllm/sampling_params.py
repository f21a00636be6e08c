"""How the engine samples; Ray Serve names it for KV-aware routing only."""

from enum import Enum


class RequestOutputKind(Enum):
    """What each output of a request holds."""

    CUMULATIVE = 0
    DELTA = 1
    FINAL_ONLY = 2
