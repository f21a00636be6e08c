"""Small stacks for the tests of cost, quota and the command line, from values to plans."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.problems import Problem, StackError
from models.reading import Reading, read_stack
from planning import Plan, make_plan


def values(models: Sequence[Any], region: str = "us-central1", **keys: Any) -> dict[str, Any]:
    """The configuration of a stack by full key; `keys` are sections of `ray-llm:`."""
    sections = {
        "cluster": {"name": "llm", "zones": [f"{region}-a"]},
        "models": list(models),
        **keys,
    }
    return {
        "gcp:project": "acme",
        "gcp:region": region,
        **{f"ray-llm:{key}": value for key, value in sections.items()},
    }


def reading(models: Sequence[Any], **keys: Any) -> Reading:
    """The `Reading` of such a stack."""
    return read_stack("test", values(models, **keys))


def planned(models: Sequence[Any], **keys: Any) -> Plan:
    """The plan of such a stack."""
    return make_plan(reading(models, **keys))


def stops(models: Sequence[Any], **keys: Any) -> tuple[Problem, ...]:
    """The problems that stop such a stack; the test fails if there are none."""
    with pytest.raises(StackError) as caught:
        planned(models, **keys)
    return caught.value.problems


def rules(problems: Sequence[Problem]) -> set[str]:
    """The rules of these problems."""
    return {problem.rule for problem in problems}


def write_stack(directory: Path, name: str, config: Mapping[str, Any]) -> Path:
    """A stack file in a folder."""
    path = directory / f"Pulumi.{name}.yaml"
    path.write_text(yaml.safe_dump({"config": dict(config)}, sort_keys=False), encoding="utf-8")
    return path


def small(pool: str = "l4", **fields: Any) -> dict[str, Any]:
    """A public model that needs a small part of one GPU."""
    return {"model": "qwen2.5-0.5b-instruct", "gpu": pool, "contextLength": 4096, **fields}


def two_gpus(pool: str = "l4-x2", **fields: Any) -> dict[str, Any]:
    """The same on two GPUs of a node."""
    return small(pool, tensorParallelSize=2, **fields)
