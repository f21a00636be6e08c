"""`pulumi-language-python` where none is installed: runs a Python program for the engine.

The engine starts this server once per command and asks it to run the program,
twice for an `up` with a preview. As with the real host each run is a process of
its own in the program's folder; it is forked from one that has the Pulumi SDK
imported already and no gRPC state yet, which saves half a second a run.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
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
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from localcloud.orphans import exit_with_parent

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from types import TracebackType


def _user_traceback(error: BaseException, program: Path) -> str:
    """The traceback from the program's first own frame on, as the real host shows it."""
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        if Path(frame.tb_frame.f_code.co_filename).is_relative_to(program):
            break
        frame = frame.tb_next
    lines = traceback.format_exception(type(error), error, frame or error.__traceback__)
    return "".join(lines).rstrip()


def _run_program(request: dict[str, Any], engine_address: str) -> dict[str, Any]:
    """Run the program in this very process; returns fields of a RunResponse."""
    import asyncio
    import logging

    from pulumi.runtime import reset_options, run_in_stack, set_all_config

    info = request["info"]
    program = Path(info["programDirectory"])
    os.chdir(request.get("pwd") or program)
    sys.path[0:0] = [str(program)]
    sys.argv = [str(program), *request.get("args", [])]
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    parallel = max(request.get("parallel", 1), 1)
    reset_options(
        project=request["project"],
        stack=request["stack"],
        monitor_address=request["monitorAddress"],
        engine_address=engine_address,
        parallel=parallel,
        preview=request.get("dryRun", False),
        organization=request.get("organization") or "organization",
        root_directory=info["rootDirectory"],
    )
    set_all_config(request.get("config", {}), request.get("configSecretKeys"))
    entry = program / (info.get("entryPoint") or ".")

    def main_program() -> None:
        runpy.run_path(str(entry), run_name="__main__")

    loop = asyncio.new_event_loop()
    loop.set_default_executor(futures.ThreadPoolExecutor(max_workers=parallel * 4))
    try:
        loop.run_until_complete(run_in_stack(main_program))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return {"bail": True}
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAVAILABLE:  # the engine is shutting down
            return {"bail": True}
        pulumi.log.error(str(error.details()))
        return {"bail": True}
    except SystemExit as error:
        if error.code in (None, 0):
            return {}
        return {"error": f"Program exited with non-zero exit code: {error.code}"}
    except BaseException as error:
        if str(error) == "resource monitor shut down":  # after a failure already shown
            return {"bail": True}
        text = _user_traceback(error, program)
        pulumi.log.error(f"Program failed with an unhandled exception:\n{text}")
        return {"bail": True}
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
            with contextlib.suppress(BaseException):
                loop.run_until_complete(task)
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    return {}


def _serve_forks(requests: Connection, engine_address: str) -> NoReturn:
    """Fork one process per run request, until the host closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            request = requests.recv()
        except EOFError:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            exit_with_parent()
            answer = _run_program(request, engine_address)
            with contextlib.suppress(BrokenPipeError):
                requests.send(answer)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if status != 0:
            code = os.waitstatus_to_exitcode(status)
            requests.send({"error": f"Program exited with non-zero exit code: {code}"})


class _Host(language_pb2_grpc.LanguageRuntimeServicer):
    def __init__(self, runs: Connection) -> None:
        self.runs = runs
        self._one_run = threading.Lock()

    def Run(self, request: Any, _context: Any) -> Any:  # noqa: N802
        with self._one_run:
            self.runs.send(json_format.MessageToDict(request))
            return language_pb2.RunResponse(**self.runs.recv())

    def About(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        version = ".".join(str(part) for part in sys.version_info[:3])
        return language_pb2.AboutResponse(executable=sys.executable, version=version)

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def GetProgramDependencies(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        found = sorted({(d.name, d.version) for d in importlib.metadata.distributions()})
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=n, version=v) for n, v in found]
        )

    def GetRequiredPackages(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return language_pb2.GetRequiredPackagesResponse(
            packages=[
                plugin_pb2.PackageDependency(name=p["name"], version=p["version"], kind="resource")
                for p in _plugins()
            ]
        )

    def GetRequiredPlugins(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return language_pb2.GetRequiredPluginsResponse(
            plugins=[
                plugin_pb2.PluginDependency(name=p["name"], version=p["version"], kind="resource")
                for p in _plugins()
            ]
        )

    def InstallDependencies(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        text = "The environment is made by `make`; there is nothing to install.\n"
        yield language_pb2.InstallDependenciesResponse(stdout=text.encode())

    def RuntimeOptionsPrompts(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return language_pb2.RuntimeOptionsResponse()

    def Cancel(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()


def _plugins() -> list[dict[str, Any]]:
    """The provider plugins that installed Pulumi SDKs belong to."""
    folders = {Path(entry) for entry in sys.path if entry.endswith("site-packages")}
    found = []
    for manifest in sorted(p for f in folders for p in f.glob("pulumi_*/pulumi-plugin.json")):
        content = json.loads(manifest.read_text(encoding="utf-8"))
        if content.get("resource") and content.get("version"):
            found.append(content)
    return found


def main() -> None:
    """Serve until the engine goes; the port is printed on stdout."""
    import multiprocessing

    engine_address = next((a for a in reversed(sys.argv[1:]) if not a.startswith("-")), "")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    ours, theirs = multiprocessing.Pipe()
    if os.fork() == 0:
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
    ours.close()


if __name__ == "__main__":
    main()
