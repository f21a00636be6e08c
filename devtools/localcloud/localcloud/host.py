"""Replaces `pulumi-language-python` if it is not installed: runs a program for the engine.

The SDK has a language server for programs that are functions of a Python process. This module
uses it for a program in a folder. As with the real host, each run is a separate process. It is
forked from a process that has imported the SDK but has no gRPC state yet, which saves half a
second per run.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import os
import runpy
import signal
import sys
import threading
import traceback
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
import pulumi
from pulumi.automation._server import LanguageServer
from pulumi.runtime._callbacks import _CallbackServicer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from localcloud.orphans import exit_with_parent

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from types import TracebackType

# One was enough; a server is no slower to stop for three.
_TURNS_TO_START = 3


def _user_traceback(error: BaseException, program: Path) -> str:
    """The traceback from the program's first frame on, as the real host shows it."""
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        if Path(frame.tb_frame.f_code.co_filename).is_relative_to(program):
            break
        frame = frame.tb_next
    lines = traceback.format_exception(type(error), error, frame or error.__traceback__)
    return "".join(lines).rstrip()


def stop_what_has_started() -> None:
    """Lets the SDK stop its server of hooks only after that has started.

    A program that fails early stops it in the same turn of the event loop in which it starts. Then
    grpcio 1.85 ends the process (signal 11), and nobody reads why the program failed.
    """
    stop = _CallbackServicer.shutdown

    async def shutdown() -> None:
        for _ in range(_TURNS_TO_START):
            await asyncio.sleep(0)
        await stop()  # type: ignore[no-untyped-call]

    _CallbackServicer.shutdown = shutdown  # type: ignore[method-assign]


def _run_program(request: language_pb2.RunRequest, engine_address: str) -> language_pb2.RunResponse:
    """Run the program in this process."""
    program = Path(request.info.program_directory)
    os.chdir(request.pwd or program)
    sys.path[0:0] = [str(program)]
    sys.argv = [str(program), *request.args]
    request.args[:] = [engine_address]  # where LanguageServer looks for it
    entry = program / (request.info.entry_point or ".")

    def main_program() -> None:
        try:
            runpy.run_path(str(entry), run_name="__main__")
        except pulumi.RunError:
            raise
        except SystemExit as error:
            if error.code not in (None, 0):
                msg = f"Program exited with non-zero exit code: {error.code}"
                raise pulumi.RunError(msg) from None
        except BaseException as error:
            text = _user_traceback(error, program)
            msg = f"Program failed with an unhandled exception:\n{text}"
            raise pulumi.RunError(msg) from None

    stop_what_has_started()
    answer = LanguageServer(main_program).Run(request, None)
    # The error has been logged. Without `bail` the engine would print it again.
    return language_pb2.RunResponse(bail=True) if answer.error else answer


def _serve_forks(requests: Connection, engine_address: str) -> NoReturn:
    """Fork one process per run request, until the host closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            request = language_pb2.RunRequest.FromString(requests.recv_bytes())
        except EOFError:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            exit_with_parent()
            answer = _run_program(request, engine_address)
            with contextlib.suppress(BrokenPipeError):
                requests.send_bytes(answer.SerializeToString())
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if status != 0:
            code = os.waitstatus_to_exitcode(status)
            failed = language_pb2.RunResponse(
                error=f"Program exited with non-zero exit code: {code}"
            )
            requests.send_bytes(failed.SerializeToString())


class _Host(LanguageServer):
    def __init__(self, runs: Connection) -> None:
        super().__init__(lambda: None)
        self.runs = runs
        self._one_run = threading.Lock()

    def Run(self, request: Any, _context: Any) -> Any:  # noqa: N802
        with self._one_run:
            self.runs.send_bytes(request.SerializeToString())
            return language_pb2.RunResponse.FromString(self.runs.recv_bytes())

    def GetProgramDependencies(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        found = sorted({(d.name, d.version) for d in importlib.metadata.distributions()})
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=n, version=v) for n, v in found]
        )


def main() -> None:
    """Print the port on stdout and serve until the engine ends."""
    import multiprocessing

    engine_address = next((a for a in reversed(sys.argv[1:]) if not a.startswith("-")), "")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    ours, theirs = multiprocessing.Pipe()
    programs = os.fork()
    # A group of its own for the programs, so that all of them can be ended.
    os.setpgid(programs, programs)
    if programs == 0:
        ours.close()
        exit_with_parent()
        _serve_forks(theirs, engine_address)
    theirs.close()
    exit_with_parent()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(_Host(ours), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.wait_for_termination()
    # The engine interrupts its host after a failure too, while the program still waits for a
    # resource. It waits up to five seconds until nobody can write to the host's output.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(programs, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main()
