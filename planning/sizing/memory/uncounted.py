"""What the estimate leaves out or assumes: engine arguments and drafts of unknown memory."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from models.catalog import arguments_by_memory
from models.problems import Problem, Severity
from models.ways_out import leave_out, outside
from planning.sizing.checkpoint import Checkpoint
from planning.sizing.memory.draft import draft_of
from planning.sizing.memory.headroom import gib
from planning.sizing.stated_arguments import StatedArguments

_RULE: Final = "memory-doubt"
# Fields of config.json that change no tensor: how far a model reads, and for a reranker of which
# tokens its head of a single row is made.
_WITHOUT_TENSORS: Final = frozenset(
    {
        "architectures",
        "classifier_from_token",
        "is_original_qwen3_reranker",
        "max_position_embeddings",
        "rope_parameters",
        "rope_scaling",
        "rope_theta",
    }
)


def uncounted_problems(arguments: StatedArguments, checkpoint: Checkpoint) -> Iterable[Problem]:
    """The doubts that stated arguments leave, whatever the GPU."""
    for name, changes in arguments_by_memory().not_understood.items():
        value = arguments.engine.get(name)
        if _is_on(name, value):
            path = f"{arguments.path}.engine.{name}"
            yield Problem(
                path=path,
                value=value,
                reason=f"{changes}, and the estimate of GPU memory does not count that",
                remedy="Try it before you rely on it, or leave it out",
                rule=_RULE,
                severity=Severity.WARN,
                candidates=(
                    leave_out(path, "leave it out"),
                    outside("try it before you rely on it"),
                ),
            )
    draft = draft_of(arguments.engine, checkpoint)
    if draft is None or not draft.assumed:
        return
    counted = (
        f"{gib(draft.weight_bytes, up=True)} GiB and one layer of KV cache are assumed"
        if draft.architecture
        else "nothing is counted for it"
    )
    yield Problem(
        path=f"{arguments.path}.engine.speculative_config",
        value=draft.name,
        reason=f"takes GPU memory for weights and a KV cache of its own, whose sizes are not "
        f"known: {counted}",
        remedy="Try it before you rely on it, or give the draft room with a shorter context",
        rule=_RULE,
        severity=Severity.WARN,
    )


def _is_on(name: str, value: Any) -> bool:
    """Whether a value asks for anything: not one that turns the argument off."""
    usual = arguments_by_memory().usual_values.get(name)
    if usual is not None:
        folded = value.lower() if isinstance(value, str) else value
        return folded is not None and folded != "" and folded not in usual
    if name == "hf_overrides" and isinstance(value, Mapping):
        return not _WITHOUT_TENSORS.issuperset(value)
    return bool(value)
