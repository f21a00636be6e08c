"""The kinds of edit that the benchmark makes, and how their runs add up."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from benchmarks.rollouts import IN_PLACE, Seen, edited_in_place, kinds, read, table_of
from manifests import service_manifests
from models.reading import read_stack
from planning import make_plan
from rollouts import Effect, Kind, Rollout, predict
from tests.cluster.stacks import small_stack

OLD, NEW = "2.49.1", "2.60.0"
BASE = small_stack() | {"ray-llm:versions": {"ray": NEW, "kuberay": "1.6.2"}}
KINDS = kinds(BASE, OLD)


def service(config: dict[str, object]) -> dict[str, Any]:
    values = {**config, "ray-llm:huggingFaceToken": None}
    stack = read_stack("small", values, frozenset({"ray-llm:huggingFaceToken"}), Path())
    return dict(service_manifests(make_plan(stack)).ray_service)


def predicted(name: str) -> Rollout:
    kind = KINDS[name]
    return predict(service(kind.before), service(kind.after), "1.6.2", {"t4": 4, "l4": 2})


@pytest.mark.parametrize(
    ("name", "effects"),
    [
        ("edit", {"steady": Effect.EDITED, "other": Effect.UNTOUCHED}),
        ("two", {"steady": Effect.EDITED, "other": Effect.UNTOUCHED}),
        ("full", {"steady": Effect.EDITED, "other": Effect.UNTOUCHED}),
        ("add", {"third": Effect.ADDED, "steady": Effect.UNTOUCHED, "other": Effect.UNTOUCHED}),
        (
            "remove",
            {"third": Effect.REMOVED, "steady": Effect.UNTOUCHED, "other": Effect.UNTOUCHED},
        ),
        ("range", {"steady": Effect.SCALED, "other": Effect.UNTOUCHED}),
        (
            "all",
            {
                "steady": Effect.EDITED,
                "pair": Effect.EDITED,
                "full": Effect.EDITED,
                "ranged": Effect.SCALED,
                "added": Effect.ADDED,
                "removed": Effect.REMOVED,
                "other": Effect.UNTOUCHED,
            },
        ),
        ("failed", {"steady": Effect.EDITED, "other": Effect.UNTOUCHED}),
    ],
)
def test_each_kind_is_the_edit_that_it_is_called(name: str, effects: dict[str, Effect]) -> None:
    assert {model.name: model.effect for model in predicted(name).models} == effects


@pytest.mark.parametrize("name", [name for name in KINDS if name.startswith(IN_PLACE)])
def test_an_edit_in_place_keeps_the_names_of_its_applications(name: str) -> None:
    written = service(KINDS[name].before)["spec"]["serveConfigV2"]
    before, after = (
        yaml.safe_load(text)["applications"] for text in (written, edited_in_place(written))
    )
    assert [each["name"] for each in after] == [each["name"] for each in before]
    assert [a != b for a, b in zip(after, before, strict=True)] == [True, False]


def test_another_release_is_a_second_cluster() -> None:
    assert predicted("cluster").kind is Kind.SECOND_CLUSTER


def test_runs_of_several_days_add_up(tmp_path: Path) -> None:
    seen = Seen(
        kind="replica range", ray=NEW, engine_seconds=90, sent=200, lost=1, slowest=0.5, quiet=0.4
    )
    path = tmp_path / "runs.jsonl"
    runs = [seen, Seen(**{**asdict(seen), "slowest": 1.5})]
    path.write_text("".join(json.dumps(asdict(each)) + "\n" for each in runs), encoding="utf-8")
    assert read(path) == runs
    console = Console(width=140, record=True, quiet=False, file=(tmp_path / "out").open("w"))
    console.print(table_of(read(path)))
    [row] = [line for line in console.export_text().splitlines() if "replica range" in line]
    assert [cell.strip() for cell in row.strip("│ ").split("│")] == [
        "replica range",
        "2.60.0",
        "90",
        "2",
        "400",
        "2",
        "0",
        "0",
        "0",
        "1.5",
        "1.1",
        "0",
    ]
