"""Where an engine is used; Ray Serve passes OPENAI_API_SERVER."""

from enum import StrEnum


class UsageContext(StrEnum):
    """The contexts that Ray Serve names."""

    OPENAI_API_SERVER = "OPENAI_API_SERVER"
