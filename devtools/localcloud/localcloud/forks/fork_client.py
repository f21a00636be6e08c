"""Runs the current command as a fork of the fork server (fork_server.py).

The process that was started keeps its process id. It passes signals on and ends as the fork ends.
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

# The largest environment for which a fork has room; see `show` in fork_server.py.
ENVIRONMENT_BYTES = 32 * 1024
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_command_as_fork(address: str) -> None:
    """`run_as_fork` with the command line of this Python process.

    A raylet's worker reports its own process id to the raylet, so its original process ends.
    """
    rest = sys.orig_argv[2 if sys.orig_argv[1:2] == ["-u"] else 1 :]
    if rest[:1] == ["-c"]:
        run_as_fork(address, rest[1])
    elif rest and not rest[0].startswith("-"):
        run_as_fork(address, detached=rest[0].endswith("/default_worker.py"))


def run_as_fork(
    address: str, code: str | None = None, *, detached: bool = False, with_parent: bool = False
) -> None:
    """End with the exit code of the fork; return if no server answers or none can help.

    The fork runs this code, or the script of sys.argv if there is none. With `with_parent` it ends
    when the parent of this process ends.
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
        # The fork may have got the same signal and ended.
        with contextlib.suppress(OSError):
            server.send(str(number).encode())

    for each in PASSED_ON:
        signal.signal(each, pass_on)
    answer = b""
    with contextlib.suppress(OSError):
        if not with_parent or _answers_in_time(server):
            answer = _answer(server)
    # Never return to the caller, which would repeat the fork's work.
    end_as(int(answer or 1))


def _answer(server: socket.socket) -> bytes:
    """The server's answer, empty if the server ended without one."""
    try:
        return server.recv(16)
    except ConnectionResetError:
        # The server closed before it had read a signal's number. Its answer can still be read.
        return server.recv(16)


def _answers_in_time(server: socket.socket) -> bool:
    """Wait for the server's answer or the end of the parent; returns whether it answered."""
    parent = os.pidfd_open(os.getppid())
    return server.fileno() in select.select([server.fileno(), parent], [], [])[0]


def end_as(code: int) -> NoReturn:
    """End with this exit code, or by a signal if the code is negative."""
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
