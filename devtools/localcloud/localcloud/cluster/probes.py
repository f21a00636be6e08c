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
from localcloud.cluster.pod_network import Place, PodAddress
from localcloud.cluster.processes import MARK

FIRST_PERIOD_SECONDS = 1.0


class Probe:
    """One probe of one container; `exec`, `httpGet` and `tcpSocket` are understood.

    ports: the numbers of the container's named ports.
    """

    def __init__(
        self,
        spec: Object,
        variables: dict[str, str],
        address: PodAddress,
        mark: str,
        ports: dict[str, int] | None = None,
    ):
        self.spec = spec
        self.ports = ports or {}
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
                if "tcpSocket" in self.spec:
                    return await self._connect(self.spec["tcpSocket"])
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
        place = self._place(http["port"])
        if place is None:
            return False
        scheme = http.get("scheme", "HTTP").lower()
        headers = {header["name"]: header["value"] for header in http.get("httpHeaders", [])}
        url = "{}://{}:{}{}".format(scheme, *place, http.get("path", "/"))
        async with (
            aiohttp.ClientSession() as session,
            # As a kubelet, which does not check certificates.
            session.get(url, headers=headers, ssl=False) as answer,
        ):
            return answer.status < 400

    async def _connect(self, tcp: Object) -> bool:
        place = self._place(tcp["port"])
        if place is None:
            return False
        _, writer = await asyncio.open_connection(*place)
        writer.close()
        return True

    def _place(self, port: str | int) -> Place | None:
        named = self.ports.get(str(port))
        return self.address.place(named if named is not None else int(port))
