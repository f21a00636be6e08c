"""Request ids as vLLM makes them."""

import uuid


def random_uuid() -> str:
    """A random id, 32 hexadecimal digits."""
    return uuid.uuid4().hex
