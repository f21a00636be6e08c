"""What a model is served for: that Ray has a path for it, and that the model can do it."""

from collections.abc import Iterable
from typing import Final

from models.architecture import CLASSIFICATION_SUFFIX, GENERATION_SUFFIXES
from models.catalog import (
    generation_arguments,
    releases_with,
    suitable_rays,
    task_row,
)
from models.problems import Problem, Severity
from models.tasks import Task
from models.values_meant import ways_to_releases
from models.ways_out import WayOut, leave_out, outside, use
from planning.checks.contexts import EntryContext
from planning.sizing.checkpoint import Checkpoint
from planning.sizing.task import TASKS_OF_ARGUMENT, has_no_head

_VERBS: Final = {Task.GENERATE: "generates text", Task.EMBED: "embeds", Task.SCORE: "scores"}


def task_problems(context: EntryContext) -> Iterable[Problem]:
    """A task that the release does not serve, that the model cannot do, or that is said twice."""
    yield from _contradictions(context)
    if context.checkpoint is None or context.release is None:
        return
    yield from _without_path(context, context.checkpoint)
    yield from _not_of_model(context, context.checkpoint)
    yield from _unconverted(context, context.checkpoint)
    if context.checkpoint.task.pools:
        yield from _idle_arguments(context, context.checkpoint.task)


def _unconverted(context: EntryContext, checkpoint: Checkpoint) -> Iterable[Problem]:
    """ModelConfig.__post_init__: "This model does not support `--runner pooling`", unconverted."""
    engine, name = context.engine, checkpoint.served_class
    generates = name is not None and name.endswith(GENERATION_SUFFIXES)
    if engine.get("runner") != "pooling" or engine.get("convert") != "none" or not generates:
        return
    where = f"{context.path}.engine.convert"
    yield Problem(
        path=where,
        value="none",
        reason=f"excludes runner: pooling for a {name}, which pools only if vLLM converts it",
        remedy="Leave it out",
        rule="contradiction",
        candidates=(leave_out(where), leave_out(f"{context.path}.engine.runner")),
    )


def _task_path(context: EntryContext) -> str:
    """Where the task is stated; the entry itself if it is derived."""
    if context.deployment.task is not None:
        return f"{context.path}.task"
    stated = next((name for name in TASKS_OF_ARGUMENT if name in context.engine), None)
    return context.path if stated is None else f"{context.path}.engine.{stated}"


def _contradictions(context: EntryContext) -> Iterable[Problem]:
    task = context.deployment.task
    if task is None:
        return
    for argument, tasks in TASKS_OF_ARGUMENT.items():
        value = context.engine.get(argument)
        said = tasks.get(value) if isinstance(value, str) else None
        pools_instead = argument == "runner" and value == "pooling" and not task.pools
        if pools_instead or said not in (None, task):
            yield Problem(
                path=f"{context.path}.task",
                value=task.value,
                reason=f"contradicts engine.{argument}, which is {value}",
                remedy="Keep one of the two",
                rule="contradiction",
                candidates=(
                    leave_out(f"{context.path}.engine.{argument}"),
                    leave_out(f"{context.path}.task"),
                ),
            )


def _without_path(context: EntryContext, checkpoint: Checkpoint) -> Iterable[Problem]:
    """Ray Serve LLM of the release has no path for the task: every request would get a 404."""
    task = checkpoint.task
    if context.release is None or task_row(task).served_by(context.release.ray.ray):
        return
    ray = context.release.ray.ray
    served = releases_with(task)
    path = _task_path(context)
    derived = path == context.path
    yield Problem(
        path=path,
        value=checkpoint.source if derived else task.value,
        reason=f"{f'{_VERBS[task]}, which ' if derived else ''}has no path in Ray Serve LLM {ray}: "
        f"/v1/{task_row(task).path} came with Ray {task_row(task).since_ray}",
        remedy=f"Use a release that serves it, {served[0]} or newer",
        rule="task-without-path",
        candidates=ways_to_releases(suitable_rays(lambda row: row.ray in served)),
    )


def _not_of_model(context: EntryContext, checkpoint: Checkpoint) -> Iterable[Problem]:
    """vLLM: "This model does not support `--runner generate`", and its score API's own checks."""
    name, task = checkpoint.served_class, checkpoint.task
    architecture = checkpoint.architecture
    if name is None:
        return
    scores = name.endswith(CLASSIFICATION_SUFFIX)
    labels = None if architecture is None else architecture.num_labels
    if task is Task.GENERATE and (scores or has_no_head(name)):
        yield _impossible(
            context,
            f"is not what a {name} does: it has no head that generates text",
            "embed" if not scores else "score",
        )
    elif task is Task.EMBED and scores:
        yield _impossible(
            context,
            f"is not what a {name} does: its classification head gives a score",
            "score",
        )
    elif task is Task.SCORE and not scores:
        yield _impossible(
            context,
            f"needs a class with a classification head, and {checkpoint.source} is a {name}",
            "embed",
            outside(
                "serve a reranker whose class ends in ForSequenceClassification, or name that "
                "class in engine.hf_overrides.architectures with the tokens of its answer in "
                "classifier_from_token"
            ),
        )
    elif task is Task.SCORE and scores and labels not in (None, 1):
        yield _impossible(
            context,
            f"needs one label, and {checkpoint.source} tells {labels} apart: Ray Serve LLM has no "
            "path for a classifier",
            None,
            outside("serve a reranker, whose config.json has one label"),
        )


def _impossible(context: EntryContext, reason: str, other: str | None, *ways: WayOut) -> Problem:
    path = _task_path(context)
    task = "" if context.checkpoint is None else context.checkpoint.task.value
    return Problem(
        path=path,
        value=task,
        reason=reason,
        remedy="Choose another model" if other is None else f"Write task: {other}",
        rule="task-not-of-model",
        candidates=(
            *(() if other is None else (use(f"{context.path}.task", other),)),
            *ways,
        ),
    )


def _idle_arguments(context: EntryContext, task: Task) -> Iterable[Problem]:
    """Arguments about generated text, beside a model that generates none."""
    for name in generation_arguments():
        if context.engine.get(name):
            path = f"{context.path}.engine.{name}"
            yield Problem(
                path=path,
                reason=f"concerns generated text, and the model {_VERBS[task]}: it has no effect",
                remedy="Leave it out",
                rule="task-argument",
                severity=Severity.WARN,
                candidates=(leave_out(path, "leave it out"),),
            )
