"""Readiness and liveness probes, with Kubernetes' own defaults and thresholds.

One difference: until its first success, a readiness probe runs every second from the container's
start on. The delays and periods in the pods are meant for machines that load weights.
"""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator

import aiohttp

from localcloud.cluster.kubernetes_api import Object
from localcloud.cluster.pod_network import PodAddress
from localcloud.cluster.processes import MARK

FIRST_PERIOD_SECONDS = 1.0


class Probe:
    """One probe of one container; `exec` and `httpGet` are understood."""

    def __init__(self, spec: Object, variables: dict[str, str], address: PodAddress, mark: str):
        self.spec = spec
        self.variables = {**variables, MARK: mark}
        self.address = address

    async def changes(self, *, at_once: bool) -> AsyncIterator[bool]:
        """Yield True or False each time a threshold is crossed.

        `at_once`: whether to probe every second from the start until the first success.
        """
        period = float(self.spec.get("periodSeconds", 10))
        thresholds = {
            True: int(self.spec.get("successThreshold", 1)),
            False: int(self.spec.get("failureThreshold", 3)),
        }
        if at_once:
            while not await self._once():
                await asyncio.sleep(FIRST_PERIOD_SECONDS)
        else:
            await asyncio.sleep(float(self.spec.get("initialDelaySeconds", 0)))
        last, streak, reported = None, 0, None
        while True:
            good = await self._once()
            streak = streak + 1 if good == last else 1
            last = good
            if streak >= thresholds[good] and reported != good:
                reported = good
                yield good
            await asyncio.sleep(period)

    async def _once(self) -> bool:
        timeout = float(self.spec.get("timeoutSeconds", 1))
        try:
            async with asyncio.timeout(timeout):
                if "exec" in self.spec:
                    return await self._exec(self.spec["exec"]["command"])
                if "httpGet" in self.spec:
                    return await self._get(self.spec["httpGet"])
        except (TimeoutError, OSError, aiohttp.ClientError):
            return False
        return True

    async def _exec(self, command: list[str]) -> bool:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return await process.wait() == 0
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()

    async def _get(self, http: Object) -> bool:
        port = self.address.ports.get(int(http["port"]))
        if port is None:
            return False
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}{http.get('path', '/')}") as answer,
        ):
            return answer.status < 400
