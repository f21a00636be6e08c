"""Free TCP ports on 127.0.0.1.

Ports are handed out from below the range that the kernel uses for outgoing
connections and that Ray gives its workers, so that none is lost between being
found free and being listened on; none is handed out twice.
"""

import itertools
import socket

_candidates = itertools.count(20000)


def free_port(preferred: int | None = None) -> int:
    """A port that nothing listens on: the preferred one when it is free.

    Raises OSError when every port from 20000 to 32000 is taken.
    """
    if preferred is not None and is_free(preferred):
        return preferred
    for port in _candidates:
        if port > 32000:
            break
        if is_free(port):
            return port
    raise OSError("no free port between 20000 and 32000 on 127.0.0.1")


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
