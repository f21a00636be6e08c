"""The host of programs."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime._callbacks import _CallbackServicer
from pulumi.runtime.proto import (
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from localcloud.cloud import module_code
from localcloud.host import stop_what_has_started


def test_a_server_of_hooks_starts_before_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows the order alone: without it the SDK's own server ends the process."""
    seen: list[str] = []

    async def stop() -> None:
        seen.append("stopped")

    async def start() -> None:
        seen.append("started")

    async def program() -> None:
        starting = asyncio.create_task(start())
        await _CallbackServicer.shutdown()  # type: ignore[no-untyped-call]
        await starting

    monkeypatch.setattr(_CallbackServicer, "shutdown", stop)
    stop_what_has_started()
    asyncio.run(program())
    assert seen == ["started", "stopped"]


class SlowMonitor(resource_pb2_grpc.ResourceMonitorServicer):
    """The engine's side of a program whose first resource is never made."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.ended = threading.Event()

    def SupportsFeature(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return resource_pb2.SupportsFeatureResponse(hasSupport=False)

    def RegisterResource(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        self.asked.set()
        self.ended.wait()
        return resource_pb2.RegisterResourceResponse()


class Quiet(engine_pb2_grpc.EngineServicer):
    """An engine that takes a program's log."""

    def Log(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()


@pytest.fixture
def monitor() -> Iterator[tuple[SlowMonitor, str]]:
    """The monitor and its address."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    slow = SlowMonitor()
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(slow, server)
    engine_pb2_grpc.add_EngineServicer_to_server(Quiet(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield slow, f"127.0.0.1:{port}"
    slow.ended.set()
    server.stop(0)


def test_an_interrupted_host_takes_a_program_that_waits_with_it(
    monitor: tuple[SlowMonitor, str], tmp_path: Path
) -> None:
    """The engine interrupts it when a resource fails; the program still waits for that resource."""
    slow, address = monitor
    (tmp_path / "__main__.py").touch()
    command = [sys.executable, "-c", module_code("localcloud.host"), address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout
        try:
            channel = grpc.insecure_channel(f"127.0.0.1:{int(host.stdout.readline())}")
            request = language_pb2.RunRequest(
                pwd=str(tmp_path),
                info=language_pb2.ProgramInfo(
                    root_directory=str(tmp_path),
                    program_directory=str(tmp_path),
                    entry_point=".",
                ),
                monitor_address=address,
                project="program",
                stack="dev",
            )
            running = language_pb2_grpc.LanguageRuntimeStub(channel).Run.future(request)
            assert slow.asked.wait(30), running.exception(0)
            host.send_signal(signal.SIGINT)
            # The pipe closes when no process of the host has it any more.
            reading = threading.Thread(target=host.stdout.read, daemon=True)
            reading.start()
            reading.join(20)
            assert not reading.is_alive()
        finally:
            slow.ended.set()
            host.kill()
