"""What the stand-in engine exports through Ray when it answers, as JSON by name.

Runs with the stand-ins on PYTHONPATH and without Ray. `ray.util.metrics` is replaced by what
remembers each call: only a cluster shows what Ray makes of them.
"""

import asyncio
import json
import sys
from types import SimpleNamespace
from typing import Any

import engine_metrics
from echo import Echo
from openai_messages import CompletionRequest
from request_counts import RequestCounts

written: dict[str, dict[str, Any]] = {}


class Metric:
    """A metric of Ray: it is exported once it has a value, and a counter with a suffix."""

    def __init__(self, name: str, tag_keys: tuple[str, ...], **_: Any):
        self.name, self.keys = f"ray_{name}", tag_keys

    def _write(self, value: float, tags: dict[str, str]) -> None:
        assert set(tags) == set(self.keys), f"{self.name}: {tags} is not {self.keys}"
        kind = type(self).__name__.lower()
        name = f"{self.name}_total" if kind == "counter" else self.name
        found = written.setdefault(name, {"type": kind, "labels": sorted(tags), "values": []})
        found["values"].append(value)


class Gauge(Metric):
    """`ray.util.metrics.Gauge`."""

    set = Metric._write


class Counter(Metric):
    """`ray.util.metrics.Counter`."""

    inc = Metric._write


class Histogram(Metric):
    """`ray.util.metrics.Histogram`."""

    observe = Metric._write


async def main(dialect: str, faults: dict[str, Any], prompts: list[str]) -> None:
    """Answer all prompts at once, every second one as a stream whose client leaves early."""
    ray = SimpleNamespace(Gauge=Gauge, Counter=Counter, Histogram=Histogram)
    metrics = engine_metrics.RayMetrics(ray, "m", getattr(engine_metrics, dialect), 8192)
    engine = Echo("m", RequestCounts(metrics.record, 8192, lambda: faults))

    async def ask(prompt: str, *, leaves: bool) -> None:
        request = CompletionRequest(model="m", prompt=prompt, max_tokens=8, stream=leaves)
        answer: Any = await engine.create_completion(request, None)
        if leaves:
            await anext(answer)
            await answer.aclose()

    await asyncio.gather(*(ask(each, leaves=n % 2 == 1) for n, each in enumerate(prompts)))
    json.dump(written, sys.stdout)


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]))
