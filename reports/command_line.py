"""`python -m reports`: the plan of a stack, and all that is made of it, without the engine.

Ends with 0 where the plan can be deployed, 1 where something stops it, and 2 where there is
nothing to plan from: no such file, no YAML, no such revision.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from models.problems import StackError
from models.stack_file import StackFileError
from models.stack_schema import schema_text
from reports.difference import difference
from reports.difference_markdown import difference_markdown
from reports.gcloud_quotas import QuotaJsonError, quota_section
from reports.picture import plan_picture
from reports.plan_data import PlanSummary, plan_summary
from reports.plan_markdown import plan_markdown
from reports.plan_tables import plan_table
from reports.pull_request_comment import CommentContent, comment
from reports.pulumi_preview import EnginePreview, engine_preview
from reports.rollout_warnings import rollout_problems
from reports.sources import (
    SourceError,
    plan_of_file,
    stack_path,
    summary_of_file,
    summary_of_json,
    summary_of_revision,
)

DEPLOYABLE: Final = 0
STOPPED: Final = 1
UNREADABLE: Final = 2

_COMMANDS: Final = ("plan", "diff", "comment", "quotas", "picture", "schema")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0] not in _COMMANDS and given[0] not in ("-h", "--help")):
        given = ["plan", *given]  # the plan is what is asked for nearly always
    options = _parser().parse_args(given)
    try:
        code: int = options.run(options)
    except (StackFileError, SourceError, QuotaJsonError) as error:
        print(error, file=sys.stderr)
        return UNREADABLE
    except StackError as error:
        print(error, file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # The reader has what it wanted (`| head`); nothing more may be written, at exit neither.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        return DEPLOYABLE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Plan a stack without the Pulumi engine. `plan` is the default command.",
        epilog="Exit code: 0 can be deployed, 1 something stops it, 2 cannot be read.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    plan = commands.add_parser("plan", help="show the plan of one or more stacks")
    plan.add_argument("files", nargs="*", type=Path, help="stack files, instead of --stack")
    _stack_options(plan)
    form = plan.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON, like the stack output `plan`")
    form.add_argument("--markdown", action="store_true", help="as Markdown for a pull request")
    form.add_argument("--check", action="store_true", help="only problems and warnings")
    plan.set_defaults(run=_plan)

    diff = commands.add_parser("diff", help="what changes between two plans, as Markdown")
    diff.add_argument(
        "sources",
        nargs="*",
        help="OLD NEW: stack files, JSON of a plan, or - for JSON on stdin; with --stack or "
        "--base NEW is the stack's file",
    )
    diff.add_argument("--base", metavar="REV", help="git revision to compare --stack with")
    _stack_options(diff)
    diff.set_defaults(run=_diff)

    said = commands.add_parser("comment", help="the comment of a pull request, as Markdown")
    _stack_options(said)
    said.add_argument("--base", metavar="REV", help="git revision to compare with")
    said.add_argument("--preview", type=Path, metavar="FILE", help="JSON of `pulumi preview`")
    said.add_argument("--commit", default="", metavar="SHA", help="the commit it is about")
    said.set_defaults(run=_comment)

    quotas = commands.add_parser(
        "quotas", help="write the quotas section from gcloud's description of the project"
    )
    quotas.add_argument("files", nargs="*", type=Path, help="JSON of gcloud; stdin without any")
    quotas.set_defaults(run=_quotas)

    picture = commands.add_parser("picture", help="draw pools, GPUs and models as SVG")
    _stack_options(picture)
    picture.add_argument("--out", type=Path, metavar="FILE", help="where to; stdout without")
    picture.set_defaults(run=_picture)

    schema = commands.add_parser("schema", help="write the JSON Schema of a stack file")
    schema.add_argument("--out", type=Path, metavar="FILE", help="where to; stdout without")
    schema.set_defaults(run=_schema)
    return parser


def _stack_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", metavar="NAME", help="the stack of Pulumi.NAME.yaml")
    parser.add_argument(
        "--directory", type=Path, default=Path(), metavar="DIR", help="where stack files are"
    )
    parser.add_argument(
        "--assume-token",
        action="store_true",
        help="plan as if the stack had a Hugging Face token, where the file cannot hold one",
    )


def _plan(options: argparse.Namespace) -> int:
    paths = list(options.files)
    if options.stack:
        paths.append(stack_path(options.stack, options.directory))
    if not paths:
        raise SourceError(f"Name a stack: --stack NAME{_stacks_there(options.directory)}.")
    code = DEPLOYABLE
    documents = []
    for path in paths:
        try:
            plan = plan_of_file(path, options.assume_token)
        except StackError as error:
            code = STOPPED
            if options.json:
                documents.append(_stop_document(error))
            else:
                print(error, file=sys.stderr)
            continue
        if options.json:
            documents.append(dict(plan_summary(plan)))
            continue
        if options.markdown:
            print(plan_markdown(plan_summary(plan)))
        elif not options.check:
            print(plan_table(plan))
        if not options.markdown:
            for warning in plan.warnings:
                print(f"warning: {warning.sentence()}", file=sys.stderr)
    if options.json:
        print(json.dumps(documents[0] if len(documents) == 1 else documents, indent=2))
    return code


def _stacks_there(directory: Path) -> str:
    names = sorted(
        path.name.removeprefix("Pulumi.").removesuffix(".yaml")
        for path in directory.glob("Pulumi.*.yaml")
    )
    return f" ({', '.join(names)})" if names else ""


def _stop_document(error: StackError) -> dict[str, Any]:
    """What stops a stack, for programs."""
    return {
        "stack": error.origin,
        "stops": [
            {"path": problem.path, "rule": problem.rule, "sentence": problem.sentence()}
            for problem in error.problems
        ],
    }


def _diff(options: argparse.Namespace) -> int:
    sources = list(options.sources)
    old: PlanSummary | None
    if options.base:
        if not options.stack or sources:
            raise SourceError("diff --base REV: compares --stack NAME with its file, nothing else.")
        new = _summary(str(stack_path(options.stack, options.directory)), options)
        old = summary_of_revision(
            options.base, options.stack, options.directory, options.assume_token
        )
    else:
        if options.stack:
            sources.append(str(stack_path(options.stack, options.directory)))
        if len(sources) != 2:
            raise SourceError("diff: name OLD and NEW, or OLD and --stack, or --base and --stack.")
        old, new = (_summary(source, options) for source in sources)
    changes = difference(old, new)
    print(difference_markdown(changes))
    for warning in rollout_problems(changes):
        print(f"warning: {warning.sentence()}", file=sys.stderr)
    return DEPLOYABLE


def _summary(source: str, options: argparse.Namespace) -> PlanSummary:
    if source == "-":
        return summary_of_json(sys.stdin.read(), "stdin")
    return summary_of_file(Path(source), options.assume_token)


def _comment(options: argparse.Namespace) -> int:
    """Prints the comment whatever it says; the exit code tells whether the stack is stopped."""
    if not options.stack:
        raise SourceError(f"Name a stack: --stack NAME{_stacks_there(options.directory)}.")
    new: PlanSummary | None = None
    stops: tuple[str, ...] = ()
    try:
        path = stack_path(options.stack, options.directory)
        new = plan_summary(plan_of_file(path, options.assume_token))
    except StackError as error:
        stops = tuple(problem.sentence() for problem in error.problems)
    old, no_old = _former(options)
    content = CommentContent(
        stack=options.stack,
        new=new,
        stops=stops,
        old=old,
        no_old=no_old,
        preview=_engine_preview(options.preview),
        commit=options.commit,
    )
    print(comment(content), end="")
    return STOPPED if content.is_stopped else DEPLOYABLE


def _former(options: argparse.Namespace) -> tuple[PlanSummary | None, str]:
    """The plan before, or why there is nothing to compare with."""
    if not options.base:
        return None, "no base revision was named."
    try:
        old = summary_of_revision(
            options.base, options.stack, options.directory, options.assume_token
        )
    except (StackError, StackFileError):
        return None, f"the stack could not be deployed at {options.base} either."
    return old, ""


def _engine_preview(path: Path | None) -> EnginePreview | None:
    if path is None:
        return None
    try:
        return engine_preview(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read ({error}).") from None


def _quotas(options: argparse.Namespace) -> int:
    texts: list[tuple[str, str]] = []
    for path in options.files:
        try:
            texts.append((str(path), path.read_text("utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{path}: cannot be read ({error}).") from None
    print(quota_section(texts or [("stdin", sys.stdin.read())]), end="")
    return DEPLOYABLE


def _picture(options: argparse.Namespace) -> int:
    if not options.stack:
        raise SourceError(f"Name a stack: --stack NAME{_stacks_there(options.directory)}.")
    plan = plan_of_file(stack_path(options.stack, options.directory), options.assume_token)
    _write(plan_picture(plan), options.out)
    return DEPLOYABLE


def _schema(options: argparse.Namespace) -> int:
    _write(schema_text(), options.out)
    return DEPLOYABLE


def _write(text: str, path: Path | None) -> None:
    if path is None:
        print(text, end="")
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{path}: cannot be written ({error.strerror}).") from None
