"""Where the plan and vLLM differ, and which of the differences were reviewed.

reviewed.yaml lists differences that stay, each with its reason. A row holds for a difference if
all that it gives matches; `case`, `rule` and `says` are regular expressions, found anywhere.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from models.catalog import MachineType, llms, machine_types, ray_releases
from planning.plan import GIB
from scripts.vllm_configs.cases import Case
from scripts.vllm_configs.config_files import config_json
from scripts.vllm_configs.plans import Planned, planned

FOLDER: Final = Path(__file__).parent
ENGINE_PROCESS: Final = FOLDER / "engine_process.py"
# What both sides decide; the plan writes the numbers, vLLM says what it made of them.
_COMPARED: Final = ("dtype", "max_model_len", "max_num_seqs", "max_num_batched_tokens")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One case of which the plan and vLLM do not say the same.

    kind: `miss` (the plan passes, vLLM refuses), `false stop` (the reverse), or `value`.
    rule: the rules that stopped the plan. says: vLLM's words, or the values of both.
    """

    kind: str
    release: str
    gpu: str
    case: str
    rule: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """A row of reviewed.yaml."""

    kind: str
    why: str
    release: str = ""
    gpu: str = ""
    case: str = ""
    rule: str = ""
    says: str = ""

    def covers(self, difference: Difference) -> bool:
        """Whether the difference is of this kind."""
        return self.kind == difference.kind and all(
            re.search(getattr(self, name), getattr(difference, name))
            for name in ("release", "gpu", "case", "rule", "says")
        )


def reviewed() -> tuple[Reviewed, ...]:
    """The rows of reviewed.yaml."""
    rows = yaml.safe_load((FOLDER / "reviewed.yaml").read_text("utf-8"))
    return tuple(Reviewed(**row) for row in rows)


def differences(
    cases: Iterable[Case], python: Path, work: Path, gpu: str
) -> Iterator[Difference | None]:
    """Ask both sides about each case; None if they agree.

    python: the interpreter of the environment with the release's vLLM.
    work: an empty folder for the config.json files.
    """
    cases = list(cases)
    with _Engine(python, cases[0]) as engine:
        for number, case in enumerate(cases):
            folder = work / f"{number}"
            plan = _planned(case, folder)
            if plan is None:
                continue
            arguments = _with_folders(plan.arguments, work)
            answer = engine.ask(
                {
                    "arguments": {
                        "model": str(folder),
                        "distributed_executor_backend": "ray",
                        **arguments,
                    },
                    "environment": dict(plan.environment),
                    "build": case.build,
                    "host_memory_bytes": int(_machine(case).memory_gib * GIB),
                }
            )
            yield _compared(case, plan, answer, gpu)


def _machine(case: Case) -> MachineType:
    return machine_types()[case.tier.machine_type]


def _planned(case: Case, folder: Path) -> Planned | None:
    """Plan the case; None if its config.json cannot be written. Leaves the file in the folder."""
    config = config_json(case.row)
    if config is None:
        return None
    config = {
        name: value for name, value in (config | dict(case.patch)).items() if value is not None
    }
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    entry: dict[str, Any] = {"model": case.row.id}
    if case.patch:
        entry = {
            "source": "acme/model",
            "configFile": "config.json",
            "weightGib": round(case.row.weight_bytes / GIB, 2),
        }
    return planned(entry | dict(case.entry), case.ray, case.tier.id, folder)


def _with_folders(value: Any, work: Path) -> Any:
    """The arguments with a folder for each repository of the catalogue, as of a draft."""
    if isinstance(value, Mapping):
        return {name: _with_folders(item, work) for name, item in value.items()}
    row = next((row for row in llms().values() if row.source == value), None)
    if row is None:
        return value
    folder = work / row.id
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_json(row)), "utf-8")
    return str(folder)


def _compared(case: Case, plan: Planned, answer: Mapping[str, Any], gpu: str) -> Difference | None:
    refused, accepted = answer.get("refused"), answer.get("accepted", {})
    kind, says = "", ""
    if plan.problems and refused is None:
        kind = "false stop"
        says = "; ".join(problem.sentence() for problem in plan.problems)
    elif not plan.problems and refused is not None:
        kind, says = "miss", refused
    elif not plan.problems:
        says = ", ".join(
            f"{name}: {plan.arguments[name]} planned, {accepted[name]} in vLLM"
            for name in _COMPARED
            if plan.arguments[name] != accepted[name]
        )
        v0 = plan.environment.get("VLLM_USE_V1") == "0"
        if v0 != accepted["v0_engine"]:
            says += f", V0 engine: {v0} planned, {accepted['v0_engine']} in vLLM"
        kind = "value" if says else ""
    if not kind:
        return None
    return Difference(
        kind=kind,
        release=case.ray,
        gpu=gpu,
        case=case.name,
        rule=", ".join(sorted({problem.rule for problem in plan.problems})),
        says=" ".join(says.split()),
    )


class _Engine:
    """The process that runs vLLM's configuration code for one GPU."""

    def __init__(self, python: Path, case: Case) -> None:
        gpu = {
            "capability": case.tier.capability,
            "name": case.tier.gpu_name,
            "memory_bytes": int(case.tier.gpu_memory_gib * GIB),
        }
        self._process = subprocess.Popen(
            [str(python), str(ENGINE_PROCESS), json.dumps(gpu)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._release = ray_releases()[case.ray].vllm

    def __enter__(self) -> "_Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def ask(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to one case; ends the program if vLLM's process died."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            sys.exit("the process has no pipes")
        try:
            stdin.write(json.dumps(question) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(f"the process of vLLM {self._release} died; the last case was {question}")
        answer: Mapping[str, Any] = json.loads(line)
        return answer
