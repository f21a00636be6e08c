"""What a model can be served for, and what Ray and vLLM need for it; rows are in tasks.yaml."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from models.catalog import data_file
from models.catalog.release_number import release_number
from models.catalog.releases import ray_releases
from models.catalog.vllm_behaviour import BehaviourRow
from models.facts import Facts
from models.tasks import Task


class TaskRow(Facts):
    """One task.

    path: its path below /v1.
    since_ray: the oldest release of the table that serves it.
    engine: the engine arguments that ask for it, by vLLM release.
    """

    path: str
    since_ray: str
    engine: BehaviourRow

    def served_by(self, ray: str) -> bool:
        """Whether Ray Serve LLM of a release has the path."""
        return release_number(ray) >= release_number(self.since_ray)


@cache
def task_row(task: Task) -> TaskRow:
    """Return the row of a task."""
    return TaskRow.model_validate(_content()["tasks"][task.value])


def task_arguments(task: Task, vllm: str) -> Mapping[str, Any]:
    """Return the engine arguments that ask a vLLM release for the task; none for generation."""
    arguments: Mapping[str, Any] = task_row(task).engine.value(vllm)
    return arguments


def releases_with(task: Task) -> tuple[str, ...]:
    """Return the Ray releases of the table that serve the task, oldest first."""
    row = task_row(task)
    return tuple(release for release in ray_releases() if row.served_by(release))


@cache
def generation_arguments() -> tuple[str, ...]:
    """Return the engine arguments that have no effect unless text is generated."""
    return tuple(_content()["generation_arguments"])


@cache
def _content() -> Mapping[str, Any]:
    content: Mapping[str, Any] = data_file.read("tasks.yaml")
    return content
