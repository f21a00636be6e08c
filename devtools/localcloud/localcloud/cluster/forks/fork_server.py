"""A fork server: Pythons that import the same libraries are forks of this one.

Ray's nodes run half a dozen Pythons each, Pulumi one a command, and the imports take each of them
the better part of a second of a processor and some 60 MiB. Forks share the memory and have the time
behind them. fork_client.py has a Python started here; environment, folder and open files are those
that it was given. What a library reads of the environment while it is imported, it has read before.

A request is one message: JSON with argv, code (of `python -c`), environment, folder and the numbers
of the file descriptors, which come with it. The answer, when the fork has ended, is its exit code,
negative for a signal. What else the client sends is the number of a signal for the fork, and when
it closes, the fork is killed. A detached fork is answered for at once.
"""

import contextlib
import fcntl
import gc
import json
import os
import runpy
import select
import selectors
import signal
import socket
import sys
import types
from collections.abc import Callable
from typing import TypedDict

# The variable that the server was given first: see `show`.
FIRST = "LANG"
MESSAGE_BYTES = 1 << 17
DESCRIPTORS = 250
# Above any number that a client asks for.
ABOVE_ALL = 512


class Request(TypedDict):
    """What a client asks for: see the module."""

    argv: list[str]
    code: str | None
    environment: dict[str, str]
    folder: str
    descriptors: list[int]
    detached: bool


def serve(listener: socket.socket) -> tuple[Request, list[int]]:
    """Answer requests for ever; in a fork, return its request and its file descriptors."""
    selector = selectors.DefaultSelector()
    # With each goes what it stands for: a socket, or a fork's number and its connection.
    selector.register(listener, selectors.EVENT_READ, listener)
    forks: dict[socket.socket, int] = {}

    def close(connection: socket.socket) -> None:
        selector.unregister(connection)
        connection.close()

    def answer(connection: socket.socket, code: int) -> None:
        with contextlib.suppress(OSError):
            connection.send(str(code).encode())
        close(connection)

    while True:
        # One at a time: the first may close what the second is about.
        ready = selector.select()[0][0]
        if ready.data is listener:
            accepted = listener.accept()[0]
            selector.register(accepted, selectors.EVENT_READ, accepted)
            continue
        connection: socket.socket
        if isinstance(ready.data, tuple):
            pid, connection = ready.data
            selector.unregister(ready.fd)
            os.close(ready.fd)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if forks.pop(connection, None) is not None:
                answer(connection, code)
            continue
        connection = ready.data
        message, descriptors = _receive(connection)
        if connection in forks:
            os.kill(forks[connection], int(message or signal.SIGKILL))
        if not message:
            forks.pop(connection, None)
            close(connection)
        elif connection not in forks:
            request: Request = json.loads(message)
            pid = os.fork()
            if pid == 0:
                # Now, not when such an object is collected: its number is another's by then.
                for key in list(selector.get_map().values()):
                    os.close(key.fd) if isinstance(key.data, tuple) else key.data.close()
                selector.close()
                return request, descriptors
            for descriptor in descriptors:
                os.close(descriptor)
            selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))
            if request["detached"]:
                answer(connection, 0)
            else:
                forks[connection] = pid


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    try:
        message, descriptors, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, DESCRIPTORS)
    except ConnectionError:
        return b"", []
    return message, descriptors


def become(request: Request, descriptors: list[int]) -> None:
    """Make this fork the process that was asked for, up to its first line."""
    os.setsid()
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, ABOVE_ALL) for each in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for number, descriptor in zip(request["descriptors"], moved, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["folder"])
    environment = {FIRST: os.environ[FIRST], **request["environment"]}
    for name in set(os.environ) - {FIRST}:
        del os.environ[name]
    os.environ.update((name, value) for name, value in environment.items() if name != FIRST)
    show(None if request["detached"] else request["argv"], environment)


def show(argv: list[str] | None, environment: dict[str, str]) -> None:
    """Write command and environment to where Linux shows them: the cluster finds its pods' there.

    A worker's command is left to Ray, which writes its title: to find the room for it, it goes back
    from the environment's first variable over as many strings as this server has arguments. So
    that variable and those stay where they are. Raises ValueError when the environment is larger
    than the room that this server was given.
    """
    with open("/proc/self/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    command_start, command_end, start, end = map(int, fields[45:49])
    block = b"".join(f"{name}={value}\0".encode() for name, value in environment.items())
    if len(block) > end - start:
        raise ValueError(f"an environment of {len(block)} bytes does not fit into {end - start}")
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(start)
        memory.write(block.ljust(end - start, b"\0"))
        if argv is not None:
            command = "\0".join(argv).encode()[: command_end - command_start - 1]
            memory.seek(command_start)
            memory.write(command.ljust(command_end - command_start, b"\0"))


def run(argv: list[str], code: str | None) -> None:
    """What Python does with its command line."""
    sys.argv[:] = argv
    if code is None:
        sys.path[0] = os.path.dirname(argv[0])
        runpy.run_path(argv[0], run_name="__main__")
    else:
        sys.path[0] = ""
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), main.__dict__)  # noqa: S102 - as Python does


def listen(address: str) -> socket.socket:
    """A socket at this path."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(address)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    listener.listen(1000)
    return listener


def main(address: str, preload: Callable[[], None], adapt: Callable[[], None]) -> None:
    """Serve at this path; in each fork, call `adapt` and run what was asked for.

    `preload` imports the libraries, once there is a first request: many a server gets none.
    """
    listener = listen(address)
    select.select([listener], [], [])
    preload()
    # Collecting what is there now would write to its pages, and so copy them.
    gc.collect()
    gc.freeze()
    request, descriptors = serve(listener)
    become(request, descriptors)
    adapt()
    run(request["argv"], request["code"])
