"""What an update costs: of the working tree, of an earlier revision, and of a flat program.

Run: python -m benchmarks.updates [--where both] [--stack dev] [--rounds 5] [--revision REV]
A round takes a stack from nothing to deployed and back, for each program: today's, that of the
revision, and for prod the flat program of benchmarks/flat, which has the same resources written by
hand. On the local cloud the programs take turns at each step, on the local cluster at each round,
because two deployed stacks would compete for the machine. Ratios are taken within a round; the
figures to quote are their medians. benchmarks/accounting.py says what is counted. A round of three
programs takes some two minutes on the local cloud, and one of two takes some nine on the cluster.

On the local cluster, Pulumi's Python processes import their libraries, as a user's do; `--forks`
measures them as the cluster's tests run them, as forks of a process that has imported them. The
revision is checked out below .localcloud/revisions, with an environment and a cluster of its own.
"""

import argparse
import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.accounting import Cost, Spread, ratios

CHECKOUT: Final = Path(__file__).parent.parent
# The last revision whose CRDs are resources of the stack.
REVISION: Final = "4879f8d"
TODAY, EARLIER, FLAT = "today", "revision", "flat program"
LOCAL_CLOUD, CLUSTER = "local-cloud", "cluster"
# What the revision's own tree does not have.
_MEASURING: Final = ("accounting.py", "measured_stack.py")

FIRST_PREVIEW, FIRST_UP, SECOND_UP = "first preview", "first up", "up, no change"
PREVIEW, EDITED, DESTROY = "preview, no change", "preview, one model edited", "destroy"
STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    FIRST_PREVIEW: ("preview",),
    FIRST_UP: ("up",),
    SECOND_UP: ("up", "--expect-no-changes"),
    PREVIEW: ("preview", "--expect-no-changes"),
    EDITED: ("preview",),
    DESTROY: ("destroy",),
}
PROCESSOR, WALL, MEMORY, STATE = "processor, s", "wall, s", "peak memory, MiB", "state, KiB"
# Place, stack, step, figure: the program to compare with, and the ratio to reach.
TARGETS: Final[Mapping[tuple[str, str, str, str], tuple[str, float]]] = {
    (CLUSTER, "dev", SECOND_UP, PROCESSOR): (EARLIER, 0.2),
    (CLUSTER, "dev", SECOND_UP, MEMORY): (EARLIER, 0.35),
    (CLUSTER, "dev", SECOND_UP, STATE): (EARLIER, 0.1),
    (CLUSTER, "dev", PREVIEW, PROCESSOR): (EARLIER, 0.25),
    (CLUSTER, "dev", FIRST_UP, WALL): (EARLIER, 1.0),
    (CLUSTER, "dev", DESTROY, WALL): (EARLIER, 1.0),
    (LOCAL_CLOUD, "prod", FIRST_PREVIEW, WALL): (FLAT, 1.05),
    (LOCAL_CLOUD, "prod", FIRST_PREVIEW, PROCESSOR): (FLAT, 1.0),
}
Config = dict[str, Any]
# The figures of a program by step and figure, one of each round.
Figures = dict[tuple[str, str], list[float]]


class Measured:
    """One program's stack in one place, and the process that runs and measures its commands."""

    def __init__(
        self,
        name: str,
        program: Path,
        checkout: Path,
        config: Config,
        edited: Config,
        stack: str,
        home: Path,
        cluster: str | None,
    ) -> None:
        self.name = name
        self.figures: Figures = {}
        self._configs = {False: config, True: edited}
        self._folder = home / "project"
        self._stack = stack
        self._folder.mkdir(parents=True)
        content = yaml.safe_load((program / "Pulumi.yaml").read_text(encoding="utf-8"))
        content["main"] = str(program)
        content["runtime"]["options"]["virtualenv"] = str(checkout / ".venv")
        (self._folder / "Pulumi.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        self._write(edited=False)
        command = [checkout / ".venv/bin/python", "-m", "benchmarks.measured_stack"]
        command += [f"--home={home}", f"--project={self._folder}", f"--stack={stack}"]
        command += [f"--cache={checkout / '.localcloud'}"]
        self.process = subprocess.Popen(
            [*command, *([f"--cluster={cluster}"] if cluster else [])],
            cwd=checkout,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, edited: bool = False) -> tuple[Cost, int, str]:
        """Run a command that has to succeed: its cost, the bytes of the state, and its output."""
        self._write(edited=edited)
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"code": 1, "output": "It ended."}')
        if answer["code"] != 0:
            command = " ".join(arguments)
            sys.exit(f"{self.name}: pulumi {command} failed.\n{answer['output'][-8000:]}")
        return Cost(**answer["cost"]), answer["state_bytes"], answer["output"]

    def measure(self, step: str) -> Cost:
        """Take one step of a round and keep its figures."""
        cost, state_bytes, _ = self.run(*STEPS[step], edited=step == EDITED)
        found = {PROCESSOR: cost.processor, WALL: cost.wall, MEMORY: cost.peak_mib}
        if step == SECOND_UP:
            found[STATE] = state_bytes / 1024
        for figure, value in found.items():
            self.figures.setdefault((step, figure), []).append(value)
        return cost

    def end(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()

    def _write(self, *, edited: bool) -> None:
        text = yaml.safe_dump({"config": self._configs[edited]})
        (self._folder / f"Pulumi.{self._stack}.yaml").write_text(text, encoding="utf-8")


def environment() -> dict[str, str]:
    """The variables of all measured processes: the programs of the local cluster are shared."""
    kept = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    programs = kept.get("RAY_LLM_LOCALCLOUD_PROGRAMS", str(CHECKOUT / ".localcloud" / "programs"))
    # Empty means not set: recompiling the SDKs takes longer than a command.
    return {**kept, "RAY_LLM_LOCALCLOUD_PROGRAMS": programs, "PYTHONDONTWRITEBYTECODE": ""}


def shipped_config(checkout: Path, stack: str) -> Config:
    """The config of a shipped stack, but of a cluster that may be destroyed."""
    text = (checkout / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    config: Config = yaml.safe_load(text)["config"]
    config["ray-llm:cluster"]["deletionProtection"] = False
    return config


def with_first_model_edited(config: Config) -> Config:
    """The same stack with half the context length for its first model."""
    edited = copy.deepcopy(config)
    first = edited["ray-llm:models"][0]
    entry = {"model": first} if isinstance(first, str) else first
    edited["ray-llm:models"][0] = {**entry, "contextLength": 4096}
    return edited


def checked_out(revision: str) -> Path:
    """A folder with a revision and its own environment, made once for each commit."""
    commit = _output("git", "rev-parse", "--short=12", f"{revision}^{{commit}}").strip()
    folder = CHECKOUT / ".localcloud" / "revisions" / commit
    if not folder.exists():
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        archive = subprocess.run(
            ["git", "archive", commit], cwd=CHECKOUT, capture_output=True, check=True
        )
        subprocess.run(["tar", "-x", "-C", unfinished], input=archive.stdout, check=True)
        unfinished.rename(folder)
    subprocess.run(["make", "env"], cwd=folder, env=environment(), check=True)
    engines = folder / ".localcloud" / "engine"
    if not engines.exists():
        engines.parent.mkdir(exist_ok=True)
        engines.symlink_to(CHECKOUT / ".localcloud" / "engine")
    for name in _MEASURING:
        shutil.copy(CHECKOUT / "benchmarks" / name, folder / "benchmarks" / name)
    return folder


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout


def start_cluster(checkout: Path, home: Path, until: ExitStack) -> None:
    """Start a checkout's own local cluster, which ends with the stack of contexts."""
    command = [checkout / ".venv/bin/python", "-m", "localcloud.cluster"]

    def run(*arguments: str) -> None:
        subprocess.run(
            [*command, *arguments, f"--home={home}"], cwd=checkout, env=environment(), check=True
        )

    run("up", "--serve-port=0", "--dashboard-port=0", f"--owner={os.getpid()}")
    until.callback(run, "down")


def resource_types(preview: str) -> Counter[str]:
    """The types that `preview --json` would create, without our component types."""
    steps = json.loads(preview[preview.index("{") : preview.rindex("}") + 1])["steps"]
    types = (step["urn"].split("::")[2].rsplit("$", 1)[-1] for step in steps)
    return Counter(type_ for type_ in types if not type_.startswith(("ray-llm:", "pulumi:pulumi:")))


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line asks for."""

    stack: str
    rounds: int
    steps: Sequence[str]
    revision: str | None
    forks: bool


def programs(place: str, options: Options, folder: Path, until: ExitStack) -> list[Measured]:
    """The programs to measure in one place, each ready for its first command."""
    cluster = ("forks" if options.forks else "no-forks") if place == CLUSTER else None
    checkouts = {TODAY: CHECKOUT}
    if options.revision:
        checkouts[EARLIER] = checked_out(options.revision)
    found = []

    def add(name: str, program: Path, checkout: Path, config: Config, edited: Config) -> None:
        home = folder / name.partition(" ")[0]
        if cluster:
            start_cluster(checkout, home, until)
        found.append(
            Measured(name, program, checkout, config, edited, options.stack, home, cluster)
        )
        until.callback(found[-1].end)

    for name, checkout in checkouts.items():
        config = shipped_config(checkout, options.stack)
        add(name, checkout, checkout, config, with_first_model_edited(config))
    # Nobody has written dev by hand. On the cluster the flat program would wait for its models.
    if options.stack == "prod" and place == LOCAL_CLOUD:
        flat = CHECKOUT / "benchmarks" / "flat"
        text = (flat / "Pulumi.prod.yaml").read_text(encoding="utf-8")
        config = {**yaml.safe_load(text)["config"], "ray-llm:protected": False}
        add(FLAT, flat, CHECKOUT, config, {**config, "ray-llm:edited": True})
    return found


def measure(place: str, options: Options, console: Console) -> list[Measured]:
    """Measure all programs in one place, in turn."""
    with ExitStack() as until:
        # A short path: the cluster's sockets are below it.
        folder = Path(until.enter_context(tempfile.TemporaryDirectory(prefix="updates-")))
        measured = programs(place, options, folder, until)
        types = {}
        for each in measured:
            # The first run compiles modules and fills caches.
            types[each.name] = resource_types(each.run("preview", "--json")[2])
            count = types[each.name].total()
            console.print(f"{place}: {each.name} is warm; it has {count} resources")
        if FLAT in types and types[FLAT] != types[TODAY]:
            sys.exit(f"The flat program creates other resources: {types[FLAT]}, {types[TODAY]}")
        for round_ in range(options.rounds):
            # On the cluster a whole round each.
            turns = [measured] if place == LOCAL_CLOUD else [[each] for each in measured]
            for turn in turns:
                for step in options.steps:
                    for each in turn:
                        cost = each.measure(step)
                        console.print(
                            f"{place}, round {round_ + 1} of {options.rounds}: {step}, "
                            f"{each.name}: {cost.processor:.1f} s of processor time, "
                            f"{cost.wall:.1f} s, {cost.peak_mib:.0f} MiB"
                        )
    return measured


def table_of(place: str, options: Options, measured: Sequence[Measured]) -> Table:
    """The medians of each program, and the medians of the ratios within a round."""
    today, *others = measured
    forks = " with forks" if place == CLUSTER and options.forks else ""
    table = Table(title=f"{place}{forks}, {options.stack}: median of {options.rounds} rounds")
    for column in ("", "", *(each.name for each in measured)):
        table.add_column(column, justify="right" if column else "left")
    for other in others:
        table.add_column(f"today by {other.name}", justify="right")
    table.add_column("target", justify="right", no_wrap=True)
    steps = dict.fromkeys(step for step, _ in today.figures)
    for step in steps:
        figures = [figure for of, figure in today.figures if of == step]
        for figure in figures:
            key = step, figure
            digits = 1 if figure in (PROCESSOR, WALL) else 0
            against = [ratios(today.figures[key], other.figures[key]) for other in others]
            table.add_row(
                step if figure == figures[0] else "",
                figure,
                *(Spread.of(each.figures[key]).text(digits) for each in measured),
                *(Spread.of(each).text(2) for each in against),
                verdict(
                    TARGETS.get((place, options.stack, *key)),
                    {
                        other.name: Spread.of(each).middle
                        for other, each in zip(others, against, strict=True)
                    },
                ),
                end_section=figure == figures[-1],
            )
    return table


def verdict(target: tuple[str, float] | None, found: Mapping[str, float]) -> str:
    """What is to be reached, and whether it is; nothing without a target for these programs."""
    if target is None or target[0] not in found:
        return ""
    name, limit = target
    return f"{limit:.2f} of {name}, {'reached' if found[name] <= limit else 'missed'}"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print a table for each place."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.updates", description=__doc__)
    parser.add_argument("--where", choices=[LOCAL_CLOUD, CLUSTER, "both"], default="both")
    parser.add_argument("--stack", help="default: prod on the local cloud, dev on the cluster")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--revision", default=REVISION, help=f"default: {REVISION}; '' for none")
    parser.add_argument("--forks", action="store_true", help="as the cluster's tests run pulumi")
    parser.add_argument(
        "--preview-only", action="store_true", help="measure the first preview only"
    )
    given = parser.parse_args(argv)
    console = Console(width=160)
    tables = []
    for place in (LOCAL_CLOUD, CLUSTER) if given.where == "both" else (given.where,):
        options = Options(
            stack=given.stack or ("prod" if place == LOCAL_CLOUD else "dev"),
            rounds=given.rounds,
            steps=[FIRST_PREVIEW] if given.preview_only else list(STEPS),
            revision=given.revision or None,
            forks=given.forks,
        )
        tables.append(table_of(place, options, measure(place, options, console)))
    for table in tables:
        console.print(table)


if __name__ == "__main__":
    main()
