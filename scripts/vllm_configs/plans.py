"""What the plan makes of a case: engine arguments, or the problems that stop it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from manifests.serve_config import llm_config
from models.problems import Problem, StackError
from models.reading import read_stack
from models.stack import ENGINE_ARGUMENT_OF_KEY
from planning import make_plan

_SECRETS: Final = frozenset({"ray-llm:huggingFaceToken"})


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The engine arguments and environment of a plan; `problems` if it is stopped.

    Then the arguments are those that the stack file states.
    """

    arguments: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def planned(entry: Mapping[str, Any], ray: str, tier: str, directory: Path) -> Planned:
    """Plan one model on one tier, without the check of memory: vLLM's configuration has none."""
    values = {
        "gcp:project": "acme-ml",
        "gcp:region": "us-central1",
        "ray-llm:cluster": {"name": "llm", "zones": ["us-central1-a"]},
        "ray-llm:huggingFaceToken": None,
        "ray-llm:versions": {"ray": ray},
        # Only spot machines have some of the GPUs.
        "ray-llm:gpuPools": [{"tier": tier, "spot": True, "name": tier}],
        "ray-llm:models": [{"checkFit": False, "gpu": tier, **entry}],
    }
    try:
        plan = make_plan(read_stack("case", values, _SECRETS, directory))
    except StackError as error:
        return Planned(arguments=_stated(entry), problems=error.problems)
    config = llm_config(plan, plan.models[0])
    environment = config.get("runtime_env", {}).get("env_vars", {})
    return Planned(arguments=config["engine_kwargs"], environment=environment)


def _stated(entry: Mapping[str, Any]) -> dict[str, Any]:
    by_key = {
        argument: entry[key] for key, argument in ENGINE_ARGUMENT_OF_KEY.items() if key in entry
    }
    return by_key | dict(entry.get("engine", {}))
