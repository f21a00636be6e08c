"""Parsers of tool calls and reasoning, which the vLLM release has to register."""

from collections.abc import Iterable, Mapping
from typing import Any

from models.catalog import closed_values, nearest_ray, usual_parser
from models.problems import Problem, Severity
from models.spelling import accepted
from models.values_meant import ways_from_value
from models.ways_out import leave_out, outside, use
from planning.checks.contexts import EntryContext


def tool_call_problems(context: EntryContext) -> Iterable[Problem]:
    """OpenAIServingChat.__init__ refuses tool choice without a parser that is registered.

    A parser alone does nothing. https://github.com/vllm-project/vllm/issues/9986,
    https://github.com/vllm-project/vllm/issues/55754
    """
    engine, path = context.engine, context.path
    enabled, parser = engine.get("enable_auto_tool_choice"), engine.get("tool_call_parser")
    if enabled is True and not parser:
        usual = _usual(context, "tool_call_parser")
        yield Problem(
            path=f"{path}.engine.enable_auto_tool_choice",
            value=True,
            reason="needs tool_call_parser, which says how this model writes a call",
            remedy="Add tool_call_parser with the name that the model's card gives",
            rule="tool-parser",
            candidates=(
                outside("add tool_call_parser with the name that the model's card gives")
                if usual is None
                else use(
                    f"{path}.engine.tool_call_parser", usual, f"add tool_call_parser: {usual}"
                ),
                leave_out(f"{path}.engine.enable_auto_tool_choice", "leave it out"),
            ),
        )
    elif parser and enabled is not True:
        yield Problem(
            path=f"{path}.engine.tool_call_parser",
            value=parser,
            reason="is not used without enable_auto_tool_choice: requests with tools would get "
            "a 400",
            remedy="Add enable_auto_tool_choice: true",
            rule="tool-parser",
            severity=Severity.WARN,
            candidates=(
                use(
                    f"{path}.engine.enable_auto_tool_choice",
                    True,
                    "add enable_auto_tool_choice: true",
                ),
                leave_out(f"{path}.engine.tool_call_parser", "leave it out"),
            ),
        )
    yield from _unregistered(
        context, "tool_call_parser", parser, "tool_call_parser", stops=enabled is True
    )
    structured = engine.get("structured_outputs_config")
    nested = structured if isinstance(structured, Mapping) else {}
    if engine.get("reasoning_parser_plugin") or nested.get("reasoning_parser_plugin"):
        return
    for stated, key in (
        (engine.get("reasoning_parser"), "reasoning_parser"),
        (nested.get("reasoning_parser"), "structured_outputs_config.reasoning_parser"),
    ):
        yield from _unregistered(context, "reasoning_parser", stated, key, stops=True)


def _unregistered(
    context: EntryContext, argument: str, parser: Any, key: str, stops: bool
) -> Iterable[Problem]:
    """A parser that this vLLM lacks; a warning if an own image may bring it as a plugin.

    argument: whose registry it is. key: where it stands below `engine`.
    """
    release = context.release
    if release is None or not isinstance(parser, str) or not parser:
        return
    registered = closed_values(release.vllm)[argument]
    if parser in registered:
        return
    own_image = release.image_is_own
    ray = nearest_ray(lambda row: parser in closed_values(row.vllm)[argument], release.ray.ray)
    where = f"{context.path}.engine.{key}"
    usual = _usual(context, argument)
    yield Problem(
        path=where,
        value=parser,
        reason=f"is not a parser that vLLM {release.vllm} registers"
        + (", and the image would have to bring it" if own_image else ""),
        remedy=accepted(parser, sorted(registered)),
        rule="tool-parser",
        severity=Severity.STOP if stops and not own_image else Severity.WARN,
        candidates=(
            *(() if usual is None or ray is not None else (use(where, usual, f"use {usual}"),)),
            *ways_from_value(where, parser, registered, ray),
        ),
    )


def _usual(context: EntryContext, argument: str) -> str | None:
    """The parser for this family of models, by the name that the release gives it."""
    if context.vllm is None or context.architecture is None:
        return None
    return usual_parser(argument, context.architecture.model_type, context.vllm)
