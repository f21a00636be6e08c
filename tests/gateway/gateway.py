"""The real Envoy on this machine, with the files that the manifests hold.

The files lie in folders that are replaced as the kubelet does it: a link to a new folder takes the
place of the old link at once. Only addresses differ from a pod's files: ports of this machine, and
in place of the Service of Ray Serve the backends of the test.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.cluster.ports import free_port
from manifests.gateway.deployment import envoy_arguments
from manifests.gateway.envoy_files import start_file, watched_files
from manifests.gateway.keys import keys_file
from manifests.gateway.places import CLUSTERS_FILE, KEYS_FILE, READY_PATH, START_FILE, Places
from planning import Plan

ENVOY = Path(sys.executable).with_name("envoy")
_READY_SECONDS = 30.0


def value(team: str) -> str:
    """The key of a team."""
    return f"sk-{team}-0123456789abcdef0123456789"


@dataclass
class Gateway:
    """A running Envoy. `files` is what a pod would have mounted; `edit` changes it."""

    folder: Path
    places: Places
    backends: Mapping[str, int]
    process: "subprocess.Popen[bytes]"
    values: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.places.port}"

    @property
    def port(self) -> int:
        return self.places.port

    def edit(self, plan: Plan) -> None:
        """Writes the files of another plan, keys and all, as an `up` does."""
        write_watched(self.folder, plan, self.backends, self.places)
        write_keys(self.folder, plan)

    def stats(self, pattern: str = "") -> dict[str, str]:
        """Counters and gauges by name."""
        text = self.admin(f"/stats?filter={urllib.parse.quote(pattern)}")
        return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)

    def number(self, name: str) -> int:
        return int(self.stats(f"^{re.escape(name)}$").get(name, "0"))

    def admin(self, path: str, method: str = "GET") -> str:
        url = f"http://127.0.0.1:{self.places.admin_port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as got:
            text: str = got.read().decode()
            return text

    def metrics(self) -> str:
        url = f"http://127.0.0.1:{self.places.metrics_port}/stats/prometheus"
        with urllib.request.urlopen(url, timeout=10) as got:
            text: str = got.read().decode()
            return text

    def log(self) -> list[dict[str, Any]]:
        """The access log."""
        lines = (self.folder / "stdout").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def all_output(self) -> str:
        return (self.folder / "stdout").read_text() + (self.folder / "stderr").read_text()

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + READY_PATH, timeout=5) as got:
                return bool(got.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @staticmethod
    def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.02)


@contextmanager
def running_gateway(
    folder: Path,
    plan: Plan,
    backends: Mapping[str, int],
    *,
    change: Callable[[dict[str, str]], None] | None = None,
    wait: bool = True,
) -> Iterator[Gateway]:
    """Runs Envoy with a plan's files.

    backends: the port of each model's backend; "" for all others.
    change: edits the texts of the files, by name, before Envoy starts.
    """
    ports = [free_port() for _ in range(3)]
    places = Places(
        start=str(folder / "start"),
        watched=str(folder / "watched"),
        keys=str(folder / "keys"),
        certificate=str(folder / "certificate"),
        address="127.0.0.1",
        port=ports[0],
        metrics_port=ports[1],
        admin_port=ports[2],
    )
    assert plan.access is not None
    start = on_this_machine(start_file(plan, plan.access, places))
    (folder / "certificate").mkdir(parents=True, exist_ok=True)
    files = {START_FILE: start}
    if change is not None:
        change(files)
    write_folder(folder / "start", files)
    write_watched(folder, plan, backends, places, change)
    write_keys(folder, plan, change)
    arguments = envoy_arguments(
        start_file=f"{places.start}/{START_FILE}", workers=plan.access.gateway.workers
    )
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen([ENVOY, *arguments], stdout=out, stderr=err)
    gateway = Gateway(folder, places, backends, process)
    try:
        if wait:
            end = time.monotonic() + _READY_SECONDS
            while not gateway.ready():
                text = (folder / "stderr").read_text()
                assert process.poll() is None, text
                assert time.monotonic() < end, text
                time.sleep(0.02)
        yield gateway
    finally:
        process.kill()
        process.wait(10)


def write_watched(
    folder: Path,
    plan: Plan,
    backends: Mapping[str, int],
    places: Places,
    change: Callable[[dict[str, str]], None] | None = None,
) -> None:
    """Writes the watched files."""
    assert plan.access is not None
    files = watched_files(plan, plan.access, places)
    clusters = json.loads(files[CLUSTERS_FILE])
    for cluster in clusters["resources"]:
        port = backends.get(cluster["name"], backends.get(""))
        for address in _addresses(cluster):
            address.update(address="127.0.0.1", port_value=port)
    files[CLUSTERS_FILE] = json.dumps(clusters)
    if change is not None:
        change(files)
    write_folder(folder / "watched", files)


def write_keys(
    folder: Path, plan: Plan, change: Callable[[dict[str, str]], None] | None = None
) -> None:
    assert plan.access is not None
    values = {key.team: value(key.team) for key in plan.access.keys}
    files = {KEYS_FILE: keys_file(plan.access, values)}
    if change is not None:
        change(files)
    write_folder(folder / "keys", files)


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Replaces the folder's files as the kubelet does, if any changes."""
    folder.mkdir(parents=True, exist_ok=True)
    before = {name: (folder / name).read_text() for name in files if (folder / name).exists()}
    if before == files:
        return
    version = folder / f"..{time.monotonic_ns()}"
    version.mkdir()
    for name, text in files.items():
        (version / name).write_text(text)
    link = folder / "..data_tmp"
    link.symlink_to(version.name)
    old = folder / "..data"
    former = old.resolve() if old.exists() else None
    os.rename(link, old)
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    if former is not None:
        shutil.rmtree(former)


def on_this_machine(start: str) -> str:
    """A start file whose own pods are this one."""
    document = json.loads(start)
    for cluster in document["static_resources"]["clusters"]:
        for address in _addresses(cluster):
            address["address"] = "127.0.0.1"
    return json.dumps(document)


def _addresses(cluster: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for locality in cluster["load_assignment"]["endpoints"]:
        for endpoint in locality["lb_endpoints"]:
            yield endpoint["endpoint"]["address"]["socket_address"]
