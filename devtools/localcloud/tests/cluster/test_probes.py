"""Probes of the local cluster's kubelet, on a file that a container would write."""

import asyncio
from pathlib import Path
from typing import Any

from localcloud.cluster.pod_network import PodAddress
from localcloud.cluster.probes import Probe


def probe(path: Path, **spec: Any) -> Probe:
    command = {"command": ["test", "-e", str(path)]}
    return Probe(
        {"exec": command, **spec}, {"PATH": "/bin:/usr/bin"}, PodAddress("10.0.0.1"), "no-mark"
    )


async def first_change(probe: Probe, *, at_once: bool, seconds: float) -> bool | None:
    """The first change within `seconds`, or None if there is none."""
    changes = probe.changes(at_once=at_once)
    try:
        return await asyncio.wait_for(anext(changes), seconds)
    except TimeoutError:
        return None


def test_readiness_is_seen_as_soon_as_it_is_there(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    slow = probe(ready, initialDelaySeconds=60, periodSeconds=60)

    async def ready_soon() -> bool | None:
        asyncio.get_running_loop().call_later(0.5, ready.touch)
        return await first_change(slow, at_once=True, seconds=10)

    assert asyncio.run(ready_soon()) is True


def test_what_is_not_ready_yet_is_no_change(tmp_path: Path) -> None:
    slow = probe(tmp_path / "ready", failureThreshold=1)
    assert asyncio.run(first_change(slow, at_once=True, seconds=1.5)) is None


def test_a_container_is_not_ended_for_what_it_is_during_its_initial_delay(tmp_path: Path) -> None:
    alive = probe(tmp_path / "alive", initialDelaySeconds=60, failureThreshold=1)
    assert asyncio.run(first_change(alive, at_once=False, seconds=1)) is None


def test_a_container_that_fails_after_that_is_reported(tmp_path: Path) -> None:
    alive = probe(tmp_path / "alive", periodSeconds=0.1, failureThreshold=3)
    assert asyncio.run(first_change(alive, at_once=False, seconds=10)) is False
