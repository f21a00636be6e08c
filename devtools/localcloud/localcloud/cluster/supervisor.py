"""The process that holds the cluster: started by `up`, ended by `down` or a signal.

It reports progress on standard output, one line per step, then READY. Until then
it also ends when its standard input is closed, so that killing `up` half-way
leaves nothing behind.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from localcloud.cluster.cluster import ClusterError, Installation, LocalCluster, Settings
from localcloud.cluster.cluster_state import ClusterState
from localcloud.cluster.ports import free_port

READY = "READY"
FAILED = "FAILED "


def say(line: str) -> None:
    """Report one line to `up`, or to the log if `up` is gone."""
    with contextlib.suppress(BrokenPipeError, OSError):
        print(line, flush=True)


async def supervise(
    folder: Path,
    installation: Installation,
    serve_port: int,
    dashboard_port: int,
    owner: int | None = None,
) -> int:
    """Run the cluster until a signal arrives or its owner ends; returns the exit code."""
    for left in ("control-plane", "pods", "logs", "stacks", "buckets", "claims"):
        shutil.rmtree(folder / left, ignore_errors=True)
    mark = uuid.uuid4().hex
    # Below /tmp because the path of a socket has at most 107 characters.
    temp = Path(tempfile.mkdtemp(prefix="rl-"))
    state = ClusterState.of_this_process(folder, mark, temp)
    state.write()
    serve_port = serve_port or free_port()
    dashboard_port = dashboard_port or free_port()
    settings = Settings(folder, serve_port, dashboard_port, mark, temp)
    log = settings.logs / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)

    def report(line: str) -> None:
        with log.open("a") as output:
            output.write(line + "\n")
        say(line)

    # The proxy answers a malformed request with 400, which need not be logged.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    cluster = LocalCluster(settings, installation, report)
    loop = asyncio.get_running_loop()
    # For each pod that ends, a thread waits for its processes; a whole stack ends at once.
    loop.set_default_executor(ThreadPoolExecutor(max_workers=32))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, cluster.stopping.set)
    parent = asyncio.create_task(_parent_gone(cluster.stopping))
    code = 0
    try:
        starting = asyncio.create_task(cluster.start())
        stopping = asyncio.create_task(cluster.stopping.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            raise cluster.failure or ClusterError("stopped while it was starting")
        starting.result()
        parent.cancel()
        state.with_addresses(
            kubeconfig=str(cluster.plane.kubeconfig),
            api_server=cluster.plane.credentials.url,
            serve=f"http://127.0.0.1:{serve_port}",
            dashboard=f"http://127.0.0.1:{dashboard_port}",
            proxy=f"http://127.0.0.1:{cluster.proxy_port}",
            github=f"http://127.0.0.1:{cluster.github_port}",
            ray=tuple(map(str, installation.ray)),
            provider=str(installation.provider / "pulumi-resource-kubernetes"),
        ).write()
        report(READY)
        _detach(log)
        ending = asyncio.create_task(_owner_gone(owner)) if owner else stopping
        await asyncio.wait({stopping, ending}, return_when=asyncio.FIRST_COMPLETED)
        if cluster.failure:
            raise cluster.failure
    except Exception as error:
        text = str(error) if isinstance(error, ClusterError | OSError) else repr(error)
        report(FAILED + text)
        code = 1
    finally:
        await cluster.stop()
        state.forget()
    return code


async def _parent_gone(stopping: asyncio.Event) -> None:
    """Stop if `up` is gone before the cluster is ready, which closes our standard input."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    stopping.set()


async def _owner_gone(owner: int) -> None:
    """Return when the process with this id has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(owner)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(1)


def _detach(log: Path) -> None:
    """Send the output to the log, because `up` no longer reads it."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
