"""A fork server: processes that import the same Python libraries are forks of this process.

Each Ray node runs half a dozen Python processes, and each Pulumi command runs one. Importing costs
each process about a CPU second and 60 MiB; a fork shares the memory and skips the import.
fork_client.py asks for a fork, which gets the client's environment, folder and open files. A
library that reads the environment while it is imported has read the server's.

A request is one message: JSON with argv, code (of `python -c`), environment, folder and the numbers
of the file descriptors that are sent with it. When the fork has ended, the answer is its exit code,
negative for a signal. For a detached fork the answer is sent at once. Any later message of the
client is the number of a signal for the fork. If the client closes the connection, the fork is
killed.
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

# The first variable of the server's environment: see `show`.
FIRST = "LANG"
MESSAGE_BYTES = 1 << 17
DESCRIPTORS = 250
# Above any number that a client asks for.
ABOVE_ALL = 512


class Request(TypedDict):
    """A client's request, as the module's docstring describes it."""

    argv: list[str]
    code: str | None
    environment: dict[str, str]
    folder: str
    descriptors: list[int]
    detached: bool


def serve(listener: socket.socket) -> tuple[Request, list[int]]:
    """Answer requests for ever; in a fork, return the fork's request and file descriptors."""
    selector = selectors.DefaultSelector()
    # The data of each entry is a socket, or a fork's process id and its connection.
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
        # One at a time: handling the first may close the connection of the second.
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
                # Close these now: when they are garbage collected, their numbers may be reused.
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
    """Give this fork the session, files, folder and environment of the request."""
    os.setsid()
    # The server may ignore it: a shell starts so what a script runs in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
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
    """Write command and environment into /proc, where the cluster finds the processes of a pod.

    With None as `argv`, Ray writes the title of a worker. To find the room for it, Ray goes back
    from the environment's first variable over as many strings as this server has arguments, so
    that variable and the arguments must keep their places. Raises ValueError if the environment is
    larger than the room that this server was started with.
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
    """Run the code or the script as Python does with its command line."""
    sys.argv[:] = argv
    if code is None:
        sys.path[0] = os.path.dirname(argv[0])
        runpy.run_path(argv[0], run_name="__main__")
    else:
        sys.path[0] = ""
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), main.__dict__)  # noqa: S102 - as Python does


def listen(address: str) -> socket.socket:
    """A socket that listens at this path."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(address)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    listener.listen(1000)
    return listener


def main(address: str, preload: Callable[[], None], adapt: Callable[[], None]) -> None:
    """Serve at this path; in each fork, call `adapt` and run the requested program.

    `preload` imports the libraries at the first request, because many servers get none.
    """
    listener = listen(address)
    select.select([listener], [], [])
    preload()
    # A later garbage collection of these objects would write to shared pages and copy them.
    gc.collect()
    gc.freeze()
    request, descriptors = serve(listener)
    become(request, descriptors)
    adapt()
    run(request["argv"], request["code"])
