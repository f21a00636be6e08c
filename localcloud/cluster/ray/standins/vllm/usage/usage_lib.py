"""Where an engine is used; Ray Serve passes OPENAI_API_SERVER."""

from enum import Enum


class UsageContext(str, Enum):
    """The contexts that Ray Serve names."""

    OPENAI_API_SERVER = "OPENAI_API_SERVER"
