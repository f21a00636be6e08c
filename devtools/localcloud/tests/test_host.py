"""The host of programs."""

import asyncio

import pytest
from pulumi.runtime._callbacks import _CallbackServicer

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
