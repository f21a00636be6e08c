"""What the stand-in engine counts of its requests: real times, its own tokens, which are words.

Its KV cache has room for as many sequences of full context as `FULL_SEQUENCES`, or for as many
tokens as the fault `kv_cache_tokens` says; when there are more, a sequence counts as preempted, and
goes on. It answers all requests at once, or as many as the fault `running_at_most` says.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from engine_metrics import Record, nowhere

FULL_SEQUENCES = 10
_LOOK_AGAIN_SECONDS = 0.02


class Request:
    """One request while it is answered. reason: why it ended, as in its answer."""

    def __init__(self, counts: "RequestCounts", prompt_tokens: int):
        self.reason = "abort"
        self.prompt_tokens, self.tokens = prompt_tokens, 0
        self.sent = self.began = self.first = self.last = time.monotonic()
        self._counts = counts

    def begin(self) -> None:
        """It runs from now on."""
        self.began = time.monotonic()

    def token(self) -> None:
        """One more token of its answer is there."""
        before, self.last, self.tokens = self.last, time.monotonic(), self.tokens + 1
        self._counts.of_token(self, self.last - before)


class RequestCounts:
    """All requests of an engine. faults: the current ones of its model."""

    def __init__(
        self,
        record: Record = nowhere,
        context: int = 0,
        faults: Callable[[], Mapping[str, Any]] = dict,
    ):
        self._record, self._faults = record, faults
        self._cache_tokens = context * FULL_SEQUENCES
        self._running: list[Request] = []
        self._waiting = 0

    @asynccontextmanager
    async def request(self, prompt_tokens: int, limit: int | None) -> AsyncIterator[Request]:
        """A request, from its turn to its end, whatever ends it."""
        request = Request(self, prompt_tokens)
        await self._turn()
        request.begin()
        self._running.append(request)
        self._state()
        try:
            yield request
        finally:
            self._running.remove(request)
            self._end(request, limit)

    async def _turn(self) -> None:
        self._waiting += 1
        try:
            while len(self._running) >= self._faults().get("running_at_most", 1_000_000):
                self._state()
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        finally:
            self._waiting -= 1
            self._state()

    def of_token(self, request: Request, seconds: float) -> None:
        """A token of a request came so long after the one before."""
        step = 1
        if request.tokens == 1:
            step += request.prompt_tokens
            request.first = request.last
            self._record("time_to_first_token_seconds", request.first - request.sent)
            if request.prompt_tokens:
                self._record("prompt_tokens", request.prompt_tokens)
                self._record(
                    "prompt_tokens_by_source", request.prompt_tokens, source="local_compute"
                )
                self._record("prefix_cache_queries", request.prompt_tokens)
        else:
            self._record("inter_token_latency_seconds", seconds)
        self._record("generation_tokens", 1)
        self._record("iteration_tokens_total", step)
        if self._state() > 1:
            self._record("num_preemptions", 1)

    def _state(self) -> float:
        """Sets the gauges, and says how much of the KV cache is wanted."""
        held = sum(each.prompt_tokens + each.tokens for each in self._running)
        room = self._faults().get("kv_cache_tokens", self._cache_tokens)
        wanted = held / room if room else 0.0
        self._record("num_requests_running", len(self._running))
        self._record("num_requests_waiting", self._waiting)
        self._record("num_requests_waiting_by_reason", self._waiting, reason="capacity")
        self._record("num_requests_waiting_by_reason", 0, reason="deferred")
        self._record("kv_cache_usage_perc", min(1.0, wanted))
        return wanted

    def _end(self, request: Request, limit: int | None) -> None:
        now = time.monotonic()
        decode = request.last - request.first
        self._state()
        self._record("request_success", 1, finished_reason=request.reason)
        self._record("e2e_request_latency_seconds", now - request.sent)
        self._record("request_queue_time_seconds", request.began - request.sent)
        self._record("request_prefill_time_seconds", max(0.0, request.first - request.began))
        self._record("request_decode_time_seconds", decode)
        self._record("request_inference_time_seconds", max(0.0, request.last - request.began))
        self._record("request_time_per_output_token_seconds", decode / max(1, request.tokens - 1))
        self._record("request_prompt_tokens", request.prompt_tokens)
        self._record("request_prefill_kv_computed_tokens", request.prompt_tokens)
        self._record("request_generation_tokens", request.tokens)
        self._record("request_max_num_generation_tokens", request.tokens)
        self._record("request_params_n", 1)
        if limit:
            self._record("request_params_max_tokens", limit)
