"""How long a context a model serves.

A stated length is served or refused. If it is left out, it is the stack's default or 8192 tokens,
at most the model's own limit, and it is shortened if that much does not fit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from models.architecture import LlmArchitecture, has_text_config
from models.architecture.llm_architecture import LARGEST_DIMENSION
from models.problems import Problem
from models.stack import Defaults
from models.ways_out import WayOut, leave_out, use
from planning.sizing.checkpoint import Checkpoint
from planning.sizing.rope_scaling import rope_scaling_of
from planning.sizing.stated_arguments import StatedArguments, hf_overrides

DEFAULT_TOKENS: Final = 8192
SHORTEST_TOKENS: Final = 2048  # below this a chat model is of little use: refuse, do not shrink
STEP_TOKENS: Final = 1024
_LARGEST_ROPE_FACTOR: Final = 1000  # published ones stay below 100


@dataclass(frozen=True, kw_only=True)
class ContextLength:
    """The context length to try first, and whether it may be shortened to fit."""

    tokens: int
    may_shorten: bool


def model_limit(architecture: LlmArchitecture, engine: Mapping[str, Any]) -> int:
    """The longest context in tokens that vLLM accepts for this model and these arguments."""
    overrides: Any = hf_overrides(engine)
    if overrides and has_text_config(architecture.model_type):
        overrides = overrides.get("text_config")  # from which vLLM reads the limit
    stated = overrides.get("max_position_embeddings") if isinstance(overrides, Mapping) else None
    if isinstance(stated, int) and 1 <= stated <= LARGEST_DIMENSION:
        architecture = architecture.model_copy(update={"max_position_embeddings": stated})
    scaling = rope_scaling_of(engine) or {}
    factor = scaling.get("factor")
    if isinstance(factor, int | float) and 1 <= factor <= _LARGEST_ROPE_FACTOR:
        architecture = architecture.model_copy(update={"rope_scaling": scaling})
    window = disabled_window(architecture, engine)
    if window is not None and window < architecture.max_position_embeddings:
        # The scaling comes after the window, and YaRN starts from its own original length.
        architecture = architecture.model_copy(update={"max_position_embeddings": window})
    return architecture.longest_context


def disabled_window(architecture: LlmArchitecture, engine: Mapping[str, Any]) -> int | None:
    """The window that `disable_sliding_window` makes the longest context; None if it does not.

    vLLM's _get_and_verify_max_len (https://github.com/vllm-project/vllm/issues/6253).
    """
    disabled = engine.get("disable_sliding_window") is True
    return architecture.sliding_window if disabled else None


def context_length(
    checkpoint: Checkpoint, arguments: StatedArguments, defaults: Defaults
) -> tuple[ContextLength | None, tuple[Problem, ...]]:
    """The context length to plan for; None only if none can be derived.

    A length that is refused is planned for as if it had been left out, so that what is wrong
    with the rest of the model is found in the same preview.
    """
    stated = arguments.get("max_model_len")
    limit = (
        model_limit(checkpoint.architecture, arguments.engine) if checkpoint.architecture else None
    )
    problems = tuple(_problems(stated, limit, checkpoint, arguments))
    if stated is None and limit is None:
        return None, problems
    if stated is not None and not problems:
        return ContextLength(tokens=stated, may_shorten=False), ()
    default = defaults.context_length or DEFAULT_TOKENS
    return ContextLength(
        tokens=min(default, limit) if limit else default, may_shorten=True
    ), problems


def _shorter(path: str, limit: int) -> Iterable[WayOut]:
    """The model's limit; and, since the GPUs may not hold that much, what they do hold."""
    yield use(path, limit, f"use at most {limit}", group="context")
    yield leave_out(path, f"leave it out: at most {DEFAULT_TOKENS} then", group="context")


def _with_window(arguments: StatedArguments) -> WayOut:
    return leave_out(
        arguments.path_of("disable_sliding_window"), "leave disable_sliding_window out"
    )


def _problems(
    stated: Any, limit: int | None, checkpoint: Checkpoint, arguments: StatedArguments
) -> Iterable[Problem]:
    path = arguments.path_of("max_model_len")
    if stated is None and limit is None:
        yield Problem(
            path=path,
            value=checkpoint.source,
            reason="is not described, so no context length can be derived",
            remedy="Give contextLength",
            rule="context-missing",
        )
    elif stated is not None and limit is not None and stated > limit:
        architecture = checkpoint.architecture
        window = disabled_window(architecture, arguments.engine) if architecture else None
        by_window = window == limit
        yield Problem(
            path=path,
            value=stated,
            reason=f"is beyond the window of {limit} tokens, which disable_sliding_window makes "
            "the limit"
            if by_window
            else f"is beyond the model's own limit of {limit} tokens",
            remedy="Use a shorter context",
            rule="context-beyond-model",
            candidates=(
                *_shorter(path, limit),
                *((_with_window(arguments),) if by_window else ()),
            ),
        )
