"""Has the Python that has just been started run as a fork of the fork server (fork_server.py).

What is left here is a process of the same number: it passes signals on, and ends as the fork ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import NoReturn

# An environment that is larger does not fit where a fork shows it.
ENVIRONMENT_BYTES = 32 * 1024
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_command_as_fork(address: str) -> None:
    """`run_as_fork` with what this Python's command line says.

    A raylet's worker tells the raylet its own number, so for that one nothing is left here.
    """
    rest = sys.orig_argv[2 if sys.orig_argv[1:2] == ["-u"] else 1 :]
    if rest[:1] == ["-c"]:
        run_as_fork(address, rest[1])
    elif rest and not rest[0].startswith("-"):
        run_as_fork(address, detached=rest[0].endswith("/default_worker.py"))


def run_as_fork(
    address: str, code: str | None = None, *, detached: bool = False, with_parent: bool = False
) -> None:
    """End with the exit code of the fork; returns where no server answers, or none can help.

    The fork runs this code, or where there is none the script of sys.argv. `with_parent`: it ends
    when the parent of this process does.
    """
    environment = dict(os.environ)
    if sum(len(os.fsencode(f"{name}={value}")) + 1 for name, value in environment.items()) > (
        ENVIRONMENT_BYTES
    ):
        return
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    numbers = [number for number in _descriptors() if number != server.fileno()]
    request = {
        "argv": sys.argv,
        "code": code,
        "environment": environment,
        "folder": os.getcwd(),
        "descriptors": numbers,
        "detached": detached,
    }
    try:
        server.connect(address)
        socket.send_fds(server, [json.dumps(request).encode()], numbers)
    except OSError:
        server.close()
        return

    def pass_on(number: int, _frame: FrameType | None) -> None:
        # A fork that got the signal too may have ended of it.
        with contextlib.suppress(OSError):
            server.send(str(number).encode())

    for each in PASSED_ON:
        signal.signal(each, pass_on)
    answer = b""
    with contextlib.suppress(OSError):
        if not with_parent or _answers_in_time(server):
            answer = _answer(server)
    # In no case back to the caller, which would do what the fork has done.
    end_as(int(answer or 1))


def _answer(server: socket.socket) -> bytes:
    """The server's answer, empty where it ended without one."""
    try:
        return server.recv(16)
    except ConnectionResetError:
        # The server closed before it had read a signal's number; its answer is behind that news.
        return server.recv(16)


def _answers_in_time(server: socket.socket) -> bool:
    """Wait for the server's answer, and no longer than this process has its parent."""
    parent = os.pidfd_open(os.getppid())
    return server.fileno() in select.select([server.fileno(), parent], [], [])[0]


def end_as(code: int) -> NoReturn:
    """End with this exit code, or by this signal where it is negative."""
    if -code in PASSED_ON:
        signal.signal(-code, signal.SIG_DFL)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


def _descriptors() -> Iterator[int]:
    """The numbers of the open file descriptors."""
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(number))
            yield int(number)
