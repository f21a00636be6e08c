"""What the clients of a running service notice of each kind of edit, with engines that take long.

Run: python -m benchmarks.rollouts [--runs 1] [--kinds edit,range] [--append FILE] [--show FILE]
A small service runs on the local cluster with the real KubeRay and Ray Serve; its stand-in engine
takes 90 s to start. For each kind of edit, ten requests a second go to each of its models while one
`up` makes the edit, and another one takes it back unseen. A request is lost unless it is answered
with 200 and the right words; none is repeated. An edit takes some three minutes on two cores.

The kind `all` makes the edits that need no second Ray cluster in one `up`, each of another model.
So many engines start at once that two cores keep every answer waiting. `several` makes those of
them in one `up` that start two engines.
The kinds that begin with `in-place` are what an edit was before `up` started the new version beside
the old one: the live RayService gets the edit under the application's old name, so that Ray Serve
replaces the replicas itself. These run only if --kinds names them.

With --append, each run is written to a file of JSON lines, so that runs of several days add up:
benchmarks/rollouts.jsonl holds those of which docs/rollouts.md has the table. --show prints the
table of such a file and runs nothing.
"""

import argparse
import copy
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.small_service import small_service
from localcloud.cluster.installation import installed
from localcloud.testing.running_cluster import eventually
from manifests import serve_config_text
from tests.cluster.deployed import RAY_SERVICE
from tests.cluster.load import Load
from tests.cluster.releases import release, with_release
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY, THIRD, small_stack
from tests.cluster.streams import read_stream

QUIET: Final = "a quiet minute"
QUIET_SECONDS: Final = 60.0
STREAM_SECONDS: Final = 120
WORD_SECONDS: Final = 0.1
STREAMS: Final = 4
# Longer than a client waits that is held while an engine loads, so that it shows how long that is.
PATIENCE_SECONDS: Final = 400.0
IN_PLACE: Final = "in-place"
# The context length that edits of a model give it, in tokens.
LONGER: Final = 2048

Config = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What clients of one model saw in one run.

    cut: of `streams` streamed answers those that broke off; restarted: replicas of the model that
    ran before and do not run afterwards, its router's included. server_errors: of the lost requests
    those that were answered with a status of 500 or above. quiet: the slowest answer of the quiet
    minute of the same cluster. day: when, in UTC.
    """

    kind: str
    ray: str
    engine_seconds: float
    sent: int
    lost: int
    slowest: float
    streams: int = 0
    cut: int = 0
    restarted: int = 0
    server_errors: int = 0
    quiet: float | None = None
    day: str = ""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of edit.

    before, after: the stack file; asked: each model that is asked, and how its row is called.
    fails: whether the `up` is to fail, because the engine of `steady` does not start.
    in_place: whether the live RayService gets the edit of `steady` instead of an `up`.
    """

    before: Config
    after: Config
    asked: Mapping[str, str]
    streams: bool = False
    fails: bool = False
    in_place: bool = False


def _longer(model: Config) -> Config:
    return {**model, "contextLength": LONGER}


def _with_pool(config: Config, tier: str, nodes: int) -> Config:
    pools = [
        {**pool, "maxNodes": nodes} if pool["tier"] == tier else pool
        for pool in config["ray-llm:gpuPools"]
    ]
    return {**config, "ray-llm:gpuPools": pools}


def kinds(base: Config, other_release: str) -> dict[str, Kind]:
    """The kinds of edit by their names on the command line."""

    def models(*models: Config, of: Config = base) -> Config:
        return {**copy.deepcopy(of), "ray-llm:models": list(models)}

    two = {**STEADY, "replicas": {"min": 2, "max": 2}}
    one = {**STEADY, "replicas": {"min": 1, "max": 1}}
    full = _with_pool(base, STEADY["gpu"], 1)
    full_of_two = _with_pool(base, STEADY["gpu"], 2)
    both = {"steady": "second cluster", "other": "second cluster"}
    return {
        "edit": Kind(
            before=base,
            after=models(_longer(STEADY), OTHER),
            asked={"steady": "one replica, a free GPU", "other": "edit of another model"},
            streams=True,
        ),
        "two": Kind(
            before=models(two, OTHER),
            after=models(_longer(two), OTHER),
            asked={"steady": "two replicas"},
        ),
        "full": Kind(
            before=models(one, OTHER, of=full),
            after=models(_longer(one), OTHER, of=full),
            asked={"steady": "one replica, no free GPU"},
        ),
        "add": Kind(
            before=base, after=models(STEADY, OTHER, THIRD), asked={"steady": "add another"}
        ),
        "remove": Kind(
            before=models(STEADY, OTHER, THIRD), after=base, asked={"steady": "remove another"}
        ),
        "range": Kind(
            before=base,
            after=models({**STEADY, "replicas": {"min": 1, "max": 3}}, OTHER),
            asked={"steady": "replica range"},
        ),
        "failed": Kind(
            before=base,
            after=models(_longer(STEADY), OTHER),
            asked={"steady": "a failed edit"},
            fails=True,
        ),
        "cluster": Kind(before=base, after=with_release(base, other_release), asked=both),
        "several": _several_at_once(base),
        "all": _all_at_once(base),
        **{
            f"{IN_PLACE}{name}": Kind(
                before=before,
                after=before,
                asked={"steady": f"in place: {called}"},
                in_place=True,
            )
            for name, called, before in (
                ("", "one replica, a free GPU", models(one, OTHER)),
                ("-full", "one replica, no free GPU", models(one, OTHER, of=full)),
                ("-two", "two replicas, a free GPU", models(two, OTHER)),
                ("-two-full", "two replicas, no free GPU", models(two, OTHER, of=full_of_two)),
            )
        },
    }


def _t4(name: str, least: int, most: int) -> Config:
    return {**STEADY, "name": name, "replicas": {"min": least, "max": most}}


def _several_at_once(base: Config) -> Kind:
    """One `up` that edits a model with a free GPU, adds one, removes one and changes a range."""
    stack = _with_pool(base, STEADY["gpu"], 8)
    before = [STEADY, OTHER, _t4("ranged", 1, 2), _t4("removed", 1, 1)]
    after = [_longer(STEADY), OTHER, _t4("ranged", 1, 3), _t4("added", 1, 1)]
    return Kind(
        before={**stack, "ray-llm:models": before},
        after={**stack, "ray-llm:models": after},
        asked={
            "steady": "one replica, a free GPU",
            "ranged": "replica range",
            "other": "others are edited, added and removed",
        },
        streams=True,
    )


def _all_at_once(base: Config) -> Kind:
    """One `up` with every kind of edit that leaves the Ray cluster, each of another model."""
    pair = _t4("pair", 2, 2)
    other = {**OTHER, "gpu": STEADY["gpu"]}
    full = {**OTHER, "name": "full", "replicas": {"min": 1, "max": 1}}
    before = [STEADY, other, pair, _t4("ranged", 1, 2), full, _t4("removed", 1, 1)]
    after = [
        _longer(STEADY),
        other,
        _longer(pair),
        _t4("ranged", 1, 3),
        _longer(full),
        _t4("added", 1, 1),
    ]
    # Pools stay, so that the next run can restore the stack without a second Ray cluster.
    stack = _with_pool(_with_pool(base, STEADY["gpu"], 12), OTHER["gpu"], 1)
    return Kind(
        before={**stack, "ray-llm:models": before},
        after={**stack, "ray-llm:models": after},
        asked={
            "steady": "one replica, a free GPU",
            "pair": "two replicas",
            "full": "one replica, no free GPU",
            "ranged": "replica range",
            "other": "others are edited, added and removed",
        },
        streams=True,
    )


def edited_in_place(serve_config: str) -> str:
    """The serve config with an edit of `steady` under the application's old name."""
    config = yaml.safe_load(serve_config)
    [application] = [each for each in config["applications"] if each["route_prefix"] == "/steady"]
    application["args"]["llm_configs"][0]["engine_kwargs"]["max_model_len"] = LONGER
    return serve_config_text(config)


def replicas(cluster: Cluster, model: str) -> set[str]:
    """The running replicas of a model and of its router."""
    return {
        replica["replica_id"]
        for name, application in cluster.models().items()
        if name == model
        for deployment in application["deployments"].values()
        for replica in deployment["replicas"]
        if replica["state"] == "RUNNING"
    }


class Streams:
    """Streamed answers of two minutes, begun while an edit is under way."""

    def __init__(self, cluster: Cluster, model: str) -> None:
        self._cluster, self._model = cluster, model
        words = round(STREAM_SECONDS / WORD_SECONDS)
        self._words = " ".join(f"w{number}" for number in range(words))
        self.whole: list[bool] = []
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Begin one stream a second."""
        for _ in range(STREAMS):
            thread = threading.Thread(target=self._read)
            self._threads.append(thread)
            thread.start()
            time.sleep(1)

    def end(self) -> None:
        """Wait until all have ended."""
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        text = read_stream(self._cluster, self._model, self._words, timeout=PATIENCE_SECONDS)
        self.whole.append(text == f"{self._model}: {self._words}")


class Measured:
    """A service on a cluster, and what its clients saw."""

    def __init__(self, service: Service, seconds: float, tell: Callable[[Seen], None]) -> None:
        self._service = service
        self._seconds = seconds
        self._tell = tell
        self._quiet: float | None = None

    def quiet(self) -> None:
        """What clients see if nothing changes, of the service with which each kind begins."""
        self._deploy(self._service.base)
        self._faults({})
        with self._load(("steady", "other")) as load:
            time.sleep(QUIET_SECONDS)
        self._quiet = round(max(load.slowest_of.values(), default=0.0), 2)
        self._say(QUIET, load, "steady", 0)

    def run(self, kind: Kind) -> None:
        """Makes one edit under load, and takes it back."""
        service, cluster = self._service, self._service.cluster
        self._deploy(kind.before)
        eventually(cluster.serves_quietly, "the service is quiet", seconds=300)
        self._faults({"steady": {"start": "CUDA error (told to fail)"}} if kind.fails else {})
        written, length = self._serve_config(), self._context_length()
        before = {model: replicas(cluster, model) for model in kind.asked}
        clusters = service.deployment.ray_clusters()
        streams = Streams(cluster, "steady")
        thread = threading.Thread(target=streams.begin)
        with self._load(tuple(kind.asked)) as load:
            if kind.streams:
                thread.start()
            failed = ""
            if kind.in_place:
                self._serve(edited_in_place(written), LONGER)
            else:
                failed = self._up(kind)
            if "ray-llm:versions" in kind.after and kind.after != kind.before:
                self._await_one_cluster(clusters, kind)
            if kind.streams:
                thread.join()
                streams.end()
            # What is left of the old version goes while requests come.
            time.sleep(15)
        if bool(failed) is not kind.fails:
            raise SystemExit(failed or "the edit was to fail")
        for model, name in kind.asked.items():
            restarted = len(before[model] - replicas(cluster, model))
            self._say(name, load, model, restarted, streams if model == "steady" else None)
        if kind.in_place:
            self._faults({}, 0)
            self._serve(written, length)

    def _deploy(self, config: Config) -> None:
        """Deploy the service with which a kind begins, with an engine that starts at once."""
        if self._service.config != config:
            self._service.cluster.engine_faults({})
            self._service.write(config).must_up()
            self._service.await_one_ray_cluster()

    def _up(self, kind: Kind) -> str:
        """One `up`; what it printed if it failed."""
        done = self._service.write(kind.after).up()
        return done.stdout + done.stderr if done.returncode else ""

    def _serve_config(self) -> str:
        return str(self._service.cluster.get(RAY_SERVICE)["spec"]["serveConfigV2"])

    def _context_length(self) -> int:
        engine = self._service.deployment.serve_config("steady")["engine_kwargs"]
        return int(engine["max_model_len"])

    def _serve(self, config: str, context_length: int) -> None:
        """Give the live RayService a serve config, and wait until Ray Serve runs it."""
        cluster, deployment = self._service.cluster, self._service.deployment
        cluster.patch(RAY_SERVICE, {"spec": {"serveConfigV2": config}}, "benchmark")

        def runs() -> bool:
            engine = deployment.serve_config("steady")["engine_kwargs"]
            return engine["max_model_len"] == context_length and cluster.serves_quietly()

        eventually(runs, "Ray Serve runs the edit", seconds=600)

    def _await_one_cluster(self, before: Sequence[str], kind: Kind) -> None:
        if kind.after["ray-llm:versions"] == kind.before["ray-llm:versions"]:
            return
        eventually(
            lambda: not set(before) & set(self._service.deployment.ray_clusters()),
            "the first Ray cluster is gone",
            seconds=300,
        )

    def _faults(self, more: Mapping[str, Config], seconds: float | None = None) -> None:
        start = self._seconds if seconds is None else seconds
        slow = {"start_seconds": start, "token_seconds": WORD_SECONDS}
        every = {"*": slow, **{model: {**slow, **fault} for model, fault in more.items()}}
        self._service.cluster.engine_faults(every)

    def _load(self, models: tuple[str, ...]) -> Load:
        return Load(
            self._service.cluster,
            models,
            per_second=10 * len(models),
            at_once=2000,
            by_name=True,
            timeout=PATIENCE_SECONDS,
        )

    def _say(
        self, kind: str, load: Load, model: str, restarted: int, streams: Streams | None = None
    ) -> None:
        whole = streams.whole if streams else []
        seen = Seen(
            kind=kind,
            ray=self._service.config["ray-llm:versions"]["ray"],
            engine_seconds=self._seconds,
            sent=load.sent_to[model],
            lost=len(load.lost_of(model)),
            slowest=round(load.slowest_of.get(model, 0.0), 2),
            streams=len(whole),
            cut=whole.count(False),
            restarted=restarted,
            server_errors=sum(lost.status >= 500 for lost in load.lost_of(model)),
            quiet=self._quiet,
            day=datetime.now(UTC).date().isoformat(),
        )
        self._tell(seen)
        for lost in load.lost_of(model)[:3]:
            print(f"  lost after {lost.seconds:.0f} s: {lost.status} {lost.text[:200]}", flush=True)


def table_of(found: Iterable[Seen]) -> Table:
    """One row for each kind and release: sums, and the slowest answer of all runs."""
    table = Table("edit", "Ray", "engine, s", "runs", "sent", "lost", "5xx", "streams", "cut")
    table.add_column("slowest answer, s", justify="right")
    table.add_column("above its quiet minute, s", justify="right")
    table.add_column("restarted", justify="right")
    rows: dict[tuple[str, str, float], list[Seen]] = {}
    for seen in found:
        rows.setdefault((seen.kind, seen.ray, seen.engine_seconds), []).append(seen)
    for (kind, ray, seconds), runs in rows.items():
        table.add_row(
            kind,
            ray,
            f"{seconds:.0f}",
            str(len(runs)),
            *(
                str(sum(getattr(seen, name) for seen in runs))
                for name in ("sent", "lost", "server_errors", "streams", "cut")
            ),
            f"{max(seen.slowest for seen in runs):.1f}",
            f"{max((seen.slowest - seen.quiet for seen in runs if seen.quiet), default=0.0):.1f}",
            str(sum(seen.restarted for seen in runs)),
        )
    return table


def read(path: Path) -> list[Seen]:
    """The runs in a file of JSON lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Seen(**json.loads(line)) for line in lines]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the kinds in turn, and prints the table."""
    there = [each.release for each in installed().ray]
    (other,) = {there[0], there[-1]} - {release().ray} or {there[0]}
    names = [
        name
        for name in kinds(small_stack(), other)
        if name not in ("several", "all") and not name.startswith(IN_PLACE)
    ]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollouts", description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--kinds", default=",".join(names), help=f"default: {','.join(names)}")
    parser.add_argument("--engine-seconds", type=float, default=90.0)
    parser.add_argument("--append", type=Path, metavar="FILE", help="JSON lines to add runs to")
    parser.add_argument("--show", type=Path, metavar="FILE", help="only print its table")
    options = parser.parse_args(arguments)
    console = Console(width=140)
    if options.show:
        console.print(table_of(read(options.show)))
        return
    found: list[Seen] = []

    def tell(seen: Seen) -> None:
        found.append(seen)
        print(seen, flush=True)
        if options.append:
            with options.append.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(seen)) + "\n")

    wanted = options.kinds.split(",")
    releases = [release().ray, *([other] if "cluster" in wanted else [])]
    with small_service(releases) as service:
        measured = Measured(service, options.engine_seconds, tell)
        of = kinds(service.base, other)
        for _ in range(options.runs):
            measured.quiet()
            for name in wanted:
                measured.run(of[name])
    console.print(table_of(found))


if __name__ == "__main__":
    main()
