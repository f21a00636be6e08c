"""What the gateway costs: latency against the direct route, memory, and what edits lose.

Run: python -m benchmarks.gateway [--seconds 60] [--requests 10000]
The real Envoy with the files that the manifests hold, and a small backend in a process of its own.
Requests to the backend and through the gateway alternate in one run, 200 a second of 2 KiB each, so
that both see the same machine. Loads are bounded and stay on 127.0.0.1. A quiet machine is needed:
whatever else runs is in the 99th percentile.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from localcloud.cluster.ports import free_port
from planning import Plan
from tests.gateway.gateway import Gateway, running_gateway, value
from tests.manifests.gateway.stacks import gateway_plan, key
from tests.manifests.plans import model

PER_SECOND: Final = 200
BODY_BYTES: Final = 2048
EDITS: Final = 10
CHAT: Final = "/v1/chat/completions"
STREAM_PAUSE_SECONDS: Final = 0.02
# Connections are made and Python is warm by then; these answers do not count.
WARM_SECONDS: Final = 2
BODIES_MIB: Final = (8, 32)  # the default, and the largest that a stack file may say
MODELS: Final = ("a", "b.1", "c", "d")


@dataclass
class Target:
    """Where requests go, with connections that stay open."""

    port: int
    path: str
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    """One answer: seconds to its first byte of body and to its end."""

    status: int
    body: bytes
    first: float
    whole: float


def serve(port: int) -> None:
    """The backend: tells the path and the model; a body with `stream` is answered in two parts."""
    asyncio.run(_serve(port))


async def _serve(port: int) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", port)
    await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ", 2)[1]
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2])
            body = await reader.readexactly(int(fields.get("content-length", "0")))
            if b'"stream"' in body:
                writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
                await writer.drain()
                await asyncio.sleep(STREAM_PAUSE_SECONDS)
                writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
            else:
                # The models' names are at the start; the rest of the body is not looked at.
                said = json.dumps({"path": path, "model": json.loads(body)["model"]}).encode()
                length = f"content-length: {len(said)}\r\n\r\n".encode()
                writer.write(b"HTTP/1.1 200 OK\r\n" + length + said)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def ask(target: Target, body: bytes, team: str) -> Asked:
    """One request; OSError or IncompleteReadError if it is lost."""
    began = time.perf_counter()
    if target.free:
        reader, writer = target.free.pop()
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    head = (
        f"POST {target.path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {value(team)}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    status = int(answer.split(" ", 2)[1])
    if "transfer-encoding: chunked" in answer:
        parts = b""
        first = 0.0
        while size := int(await reader.readline(), 16):
            first = first or time.perf_counter() - began
            parts += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        length = answer.partition("content-length: ")[2].partition("\r\n")[0]
        parts = await reader.readexactly(int(length or 0))
        first = time.perf_counter() - began
    if "connection: close" in answer:
        writer.close()
    else:
        target.free.append((reader, writer))
    return Asked(status, parts, first, time.perf_counter() - began)


def body_of(name: str, *, stream: bool = False) -> bytes:
    """A chat request of 2 KiB."""
    body: dict[str, object] = {"model": name, **({"stream": True} if stream else {})}
    body["messages"] = [{"role": "user", "content": ""}]
    missing = BODY_BYTES - len(json.dumps(body))
    body["messages"] = [{"role": "user", "content": "x" * missing}]
    return json.dumps(body).encode()


async def side_by_side(
    targets: Sequence[Target], seconds: float, *, stream: bool = False
) -> list[list[Asked]]:
    """Asks the targets in turn, each PER_SECOND times a second, whether or not answers came."""
    body, found = body_of("a", stream=stream), [[] for _ in targets]  # type: list[list[Asked]]
    rate, started, tasks = PER_SECOND * len(targets), time.perf_counter(), set()

    async def one(index: int) -> None:
        found[index].append(await ask(targets[index], body, "all"))

    for number in range(int((seconds + WARM_SECONDS) * rate)):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        task = asyncio.create_task(one(number % len(targets)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return [answers[int(WARM_SECONDS * PER_SECOND) :] for answers in found]


async def during_edits(
    gateway: Gateway, plans: Sequence[Plan], port: int, requests: int
) -> tuple[Counter[str], int]:
    """Mixed models and keys while keys and routes change EDITS times; what came of them."""
    target, results, choose = Target(port, CHAT), Counter[str](), random.Random(19)
    done = 0

    async def worker() -> None:
        nonlocal done
        while done < requests:
            done += 1
            if done % (requests // (EDITS + 1)) == 0 and results["edits"] < EDITS:
                results["edits"] += 1
                gateway.edit(plans[results["edits"] % len(plans)])
            name, team = choose.choice(MODELS[:2]), choose.choice(("all", "both"))
            try:
                got = await ask(target, body_of(name), team)
            except (OSError, asyncio.IncompleteReadError):
                results["lost"] += 1
                continue
            right = {"path": f"/{name}{CHAT}", "model": name}
            if got.status != 200:
                results["lost"] += 1
            elif json.loads(got.body) != right:
                results["misrouted"] += 1
            else:
                results["right"] += 1

    await asyncio.gather(*(worker() for _ in range(4)))
    return results, done


async def listening(port: int) -> None:
    """Waits until the backend answers."""
    while True:
        try:
            await ask(Target(port, CHAT), body_of("a"), "all")
        except OSError:
            await asyncio.sleep(0.1)
        else:
            return


def resident_mib(pid: int, field: str = "VmRSS") -> float:
    """The memory of a process; with the field VmHWM, the most that it has had."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition(f"{field}:")[2].split()[0]) / 1024


def peak_of_largest_bodies(size_mib: int, port: int) -> str:
    """The most memory that a gateway for bodies of this size takes, and what its pod has."""
    plan = gateway_plan(key("all"), max_body_mib=size_mib)
    assert plan.access is not None
    with (
        tempfile.TemporaryDirectory() as folder,
        running_gateway(Path(folder), plan, {"": port}) as gateway,
    ):
        asyncio.run(largest_bodies(gateway, size_mib))
        # Afterwards much of it is given back, and the pod's limit is for the peak.
        peak = resident_mib(gateway.process.pid, "VmHWM")
    bound = plan.access.gateway.memory_mib
    return f"memory with bodies of {size_mib} MiB: {peak:.0f} MiB at most, of {bound:,}"


async def largest_bodies(gateway: Gateway, size_mib: int) -> None:
    """The bodies that cost the most to read, lists of numbers, one for each worker at a time."""
    numbers = b"1," * ((size_mib * 1024 * 1024 - 100) // 2) + b"1"
    body = b'{"model": "none", "prompt": [' + numbers + b"]}"
    for _ in range(3):
        targets = [Target(gateway.port, CHAT) for _ in range(2)]
        got = await asyncio.gather(*(ask(target, body, "all") for target in targets))
        assert {answer.status for answer in got} == {404}


def _millis(asked: Sequence[float], share: float) -> float:
    return sorted(asked)[int(len(asked) * share)] * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--requests", type=int, default=10_000)
    arguments = parser.parse_args()
    few = gateway_plan(
        key("all"), key("both", *MODELS[:2]), models=tuple(model(name) for name in MODELS[:2])
    )
    more = gateway_plan(
        key("all"),
        key("both", *MODELS[:2]),
        key("new", "c"),
        models=tuple(model(name) for name in MODELS),
    )
    port = free_port()
    backend = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    backend.start()
    console = Console()
    try:
        asyncio.run(listening(port))
        with (
            tempfile.TemporaryDirectory() as folder,
            running_gateway(Path(folder), few, {"": port}) as gateway,
        ):
            rest = resident_mib(gateway.process.pid)
            table = Table("", "direct ms", "gateway ms", "added ms")
            for stream in (False, True):
                targets = [Target(port, f"/a{CHAT}"), Target(gateway.port, CHAT)]
                found = asyncio.run(side_by_side(targets, arguments.seconds, stream=stream))
                times = [[item.first if stream else item.whole for item in one] for one in found]
                what = "first byte of a stream" if stream else "2 KiB"
                for label, share in (("median", 0.5), ("99 %", 0.99)):
                    direct, through = (_millis(one, share) for one in times)
                    row = (f"{direct:.2f}", f"{through:.2f}", f"{through - direct:.2f}")
                    table.add_row(f"{what}, {label}", *row)
            console.print(table)
            results, sent = asyncio.run(
                during_edits(gateway, (few, more), gateway.port, arguments.requests)
            )
            console.print(
                f"{sent} requests during {results['edits']} edits: {results['lost']} lost, "
                f"{results['misrouted']} misrouted, {results['right']} right"
            )
            loaded = resident_mib(gateway.process.pid)
            console.print(f"memory: {rest:.0f} MiB at rest, {loaded:.0f} MiB after the load")
        for size_mib in BODIES_MIB:
            console.print(peak_of_largest_bodies(size_mib, port))
    finally:
        backend.terminate()
        backend.join()


if __name__ == "__main__":
    main()
