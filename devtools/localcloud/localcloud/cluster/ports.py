"""Free TCP ports on 127.0.0.1.

The ports are below the range that the kernel uses for outgoing connections and
that Ray gives its workers. A port that was found free is therefore still free
when a server listens on it. Each process hands out a separate block, so that two
clusters that start at the same time never choose the same port.
"""

import fcntl
import functools
import itertools
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_FIRST = 20000
_BLOCK = 2000
_BLOCKS = 6


@functools.cache
def _own_block() -> tuple[Iterator[int], IO[str] | None]:
    """This process's ports in an endless cycle, and the file whose lock reserves them."""
    for number in range(_BLOCKS):
        path = Path(tempfile.gettempdir()) / f"ray-llm-ports-{number}.lock"
        try:
            file = path.open("a", encoding="utf-8")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # another process's, or another user's file
        first = _FIRST + number * _BLOCK
        return itertools.cycle(range(first, first + _BLOCK)), file
    return itertools.cycle(range(_FIRST, _FIRST + _BLOCKS * _BLOCK)), None


def free_port() -> int:
    """A port that nothing listens on. Raises OSError when the whole block is taken."""
    ports, _ = _own_block()
    for port in itertools.islice(ports, _BLOCK):
        if is_free(port):
            return port
    raise OSError(f"no free port among {_BLOCK} on 127.0.0.1")


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
