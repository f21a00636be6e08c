"""What a model is served for: as the stack file states it, else as follows from the model.

A class without a head embeds and a class with a classification head scores. A class that
generates may stand for a model that was trained to embed (Qwen3-Embedding is a Qwen3ForCausalLM);
its config.json does not say so, but its repository's name does.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from models.architecture import (
    CLASSIFICATION_SUFFIX,
    EMBEDDING_SUFFIX,
    GENERATION_SUFFIXES,
    LlmArchitecture,
)
from models.stack import ModelDeployment
from models.tasks import Task
from planning.sizing.stated_arguments import hf_overrides

# The values of vLLM's own arguments: `task` up to 0.11, `convert` since 0.10.2.
TASKS_OF_ARGUMENT: Final[Mapping[str, Mapping[str, Task]]] = {
    "task": {
        "generate": Task.GENERATE,
        "embed": Task.EMBED,
        "embedding": Task.EMBED,
        "score": Task.SCORE,
        "classify": Task.SCORE,
    },
    "convert": {"embed": Task.EMBED, "classify": Task.SCORE},
    "runner": {"generate": Task.GENERATE},
}
TASK_ARGUMENTS: Final = tuple(TASKS_OF_ARGUMENT)
_EMBEDS: Final = re.compile(r"(?<![a-z])embed(ding|dings|der)?(?![a-z])", re.IGNORECASE)
_RERANKS: Final = re.compile(r"(?<![a-z])rerank(er|ing)?(?![a-z])", re.IGNORECASE)


def stated_task(deployment: ModelDeployment) -> Task | None:
    """The task that the entry states, by its key or by an engine argument; None if by neither."""
    return deployment.task or task_of_engine(deployment.engine)


def task_of_engine(engine: Mapping[str, Any]) -> Task | None:
    """The task that engine arguments state; None if none does, or only `runner: pooling`."""
    for argument, tasks in TASKS_OF_ARGUMENT.items():
        value = engine.get(argument)
        if isinstance(value, str) and value in tasks:
            return tasks[value]
    return None


def derived_task(
    source: str, architecture: LlmArchitecture | None, engine: Mapping[str, Any]
) -> Task:
    """The task that follows from the class, or from the name of a model whose class generates."""
    name = served_class(architecture, engine)
    if name is not None and name.endswith(CLASSIFICATION_SUFFIX):
        return Task.SCORE
    if has_no_head(name) or (architecture is not None and architecture.encoder):
        return Task.EMBED
    last = source.rstrip("/").rpartition("/")[2]
    if _RERANKS.search(last):
        return Task.SCORE
    pools = engine.get("runner") == "pooling"
    return Task.EMBED if pools or _EMBEDS.search(last) else Task.GENERATE


def has_no_head(name: str | None) -> bool:
    """Whether a class ends in hidden states, so that it can only embed: Qwen2Model, BertModel."""
    if name is None or name.endswith(GENERATION_SUFFIXES):
        return False
    return name.endswith(EMBEDDING_SUFFIX)


def served_class(architecture: LlmArchitecture | None, engine: Mapping[str, Any]) -> str | None:
    """The class that vLLM loads: that of config.json unless hf_overrides names another."""
    names = hf_overrides(engine).get("architectures")
    if isinstance(names, list | tuple) and names and isinstance(names[0], str):
        return names[0]
    return None if architecture is None else architecture.architecture
