"""A real Prometheus on this machine, with samples that a test gives it."""

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.cluster.ports import free_port
from localcloud.prometheus import prometheus_programs

_READY_SECONDS = 60


@dataclass(frozen=True)
class Prometheus:
    """One that runs."""

    url: str

    def query(self, expression: str, at: int) -> list[dict[str, Any]]:
        """What an expression has at a time, in seconds since 1970."""
        return self._result("query", {"query": expression, "time": at})

    def range(self, expression: str, start: int, end: int, step: int) -> list[dict[str, Any]]:
        """What an expression has from a time to another, every `step` seconds."""
        asked = {"query": expression, "start": start, "end": end, "step": step}
        return self._result("query_range", asked)

    def _result(self, kind: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
        arguments = urllib.parse.urlencode(asked)
        with urllib.request.urlopen(f"{self.url}/api/v1/{kind}?{arguments}", timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def running_prometheus(
    folder: Path, *, samples: str | None = None, rules: str = "", scrape: str = ""
) -> Iterator[Prometheus]:
    """Runs Prometheus in a folder.

    samples: OpenMetrics with times, which it has from the beginning.
    rules: a file of rules; scrape: what stands under `scrape_configs`.
    """
    programs = prometheus_programs()
    data, port = folder / "data", free_port()
    if samples is not None:
        written = folder / "samples.txt"
        written.write_text(samples)
        blocks = ["tsdb", "create-blocks-from", "openmetrics", written, data]
        subprocess.run([programs.promtool, *blocks], check=True, capture_output=True)
    (folder / "rules.yaml").write_text(rules or "groups: []\n")
    config = folder / "prometheus.yaml"
    config.write_text(
        f"rule_files: [{folder / 'rules.yaml'}]\nscrape_configs:\n{scrape or '  []'}\n"
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                programs.prometheus,
                f"--config.file={config}",
                f"--storage.tsdb.path={data}",
                f"--web.listen-address=127.0.0.1:{port}",
                # Samples of the past stay.
                "--storage.tsdb.retention.time=100y",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            found = Prometheus(f"http://127.0.0.1:{port}")
            end = time.monotonic() + _READY_SECONDS
            while not found.ready():
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < end, (folder / "log").read_text()
                time.sleep(0.1)
            yield found
        finally:
            process.terminate()
            process.wait()
