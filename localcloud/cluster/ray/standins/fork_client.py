"""Has the Python that has just been started run as a fork of the fork server (fork_server.py).

What is left here is a process of the same number: it passes signals on, and ends as the fork ends.
A raylet's worker tells the raylet its own number, so for that one nothing is left here.
"""

import contextlib
import json
import os
import signal
import socket
import sys

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_as_fork(address):
    """End with the exit code of the fork; returns where no server answers, or none can help."""
    rest = sys.orig_argv[2 if sys.orig_argv[1:2] == ["-u"] else 1 :]
    code = rest[1] if rest[:1] == ["-c"] else None
    if code is None and (not rest or rest[0].startswith("-")):
        return
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        server.connect(address)
    except OSError:
        server.close()
        return
    numbers = [number for number in _descriptors() if number != server.fileno()]
    request = {
        "argv": sys.argv,
        "code": code,
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "descriptors": numbers,
        "detached": rest[0].endswith("/default_worker.py"),
    }
    for passed_on in PASSED_ON:
        signal.signal(passed_on, lambda number, _frame: server.send(str(number).encode()))
    socket.send_fds(server, [json.dumps(request).encode()], numbers)
    end_as(int(server.recv(16) or 1))


def end_as(code):
    """End with this exit code, or by this signal where it is negative."""
    if -code in PASSED_ON:
        signal.signal(-code, signal.SIG_DFL)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


def _descriptors():
    """The numbers of the open file descriptors."""
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(number))
            yield int(number)
