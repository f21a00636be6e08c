"""The command `ray-llm`: the plan of a stack, and everything that is made from it, without Pulumi.

Exit code: 0 if the stack can be deployed, 1 if something stops it, and 2 if there is nothing to
plan from: a wrong command, no such file, no YAML, no such revision. `drift`: 0 if nothing differs,
1 if something does, 2 if that is not known. `doctor`: 0 if the service is well, 1 if something is
wrong, 2 if that is not known.

Each command imports its own modules, so that a plan does not wait for the picture's.
"""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reports.printing import complain as _complain
from reports.printing import print_result as _print

if TYPE_CHECKING:
    from models.problems import Problem, StackError
    from reports.change_effects import ChangeEffects
    from reports.pulumi_preview import EnginePreview
    from reports.sources import Source

DEPLOYABLE: Final = 0
STOPPED: Final = 1
UNREADABLE: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code. arguments: those of this process if None."""
    options = _parser().parse_args(arguments)
    if arguments is not None:
        return _run(options)
    # The process lives for a quarter of a second. It makes no garbage that is worth a search, and
    # pydantic's search for plugins reads the metadata of every installed package.
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Everything is written and flushed: to free all modules and facts one by one helps nobody.
    os._exit(_run(options))


def _run(options: argparse.Namespace) -> int:
    from models.problems import StackError
    from models.stack_file import StackFileError
    from reports.sources import SourceError

    try:
        code: int = options.run(options)
    except (StackFileError, SourceError) as error:
        _complain(error)
        code = UNREADABLE
    except StackError as error:
        _complain(error)
        code = STOPPED
    _print("", end="", flush=True)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ray-llm",
        description="Plan a stack without the Pulumi engine.",
        epilog="Exit code: 0 the stack can be deployed, 1 something stops it, 2 nothing to plan "
        "from. `ray-llm COMMAND --help` shows examples.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], summary: str, *examples: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog="\n  ".join(["examples:", *examples]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        added.set_defaults(run=run)
        return added

    plan = command(
        "plan",
        _plan,
        "show the plan of one or more stacks",
        "ray-llm plan --stack dev",
        "ray-llm plan --stack prod --assume-token --json",
        "ray-llm plan Pulumi.staging.yaml Pulumi.prod.yaml",
    )
    _stack_options(plan, several=True)
    form = plan.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="as JSON, which the stack output `plan` holds as a text"
    )
    form.add_argument("--markdown", action="store_true", help="as Markdown for a pull request")

    check = command(
        "check",
        _check,
        "show only the problems and warnings of one or more stacks",
        "ray-llm check --stack dev",
        "ray-llm check Pulumi.*.yaml",
    )
    _stack_options(check, several=True)

    diff = command(
        "diff",
        _diff,
        "show what changes between two plans, as Markdown",
        "ray-llm diff --base main --stack prod",
        "ray-llm diff Pulumi.staging.yaml Pulumi.prod.yaml",
        "pulumi stack output plan --json --stack prod | ray-llm diff - --stack prod",
    )
    diff.add_argument(
        "sources",
        nargs="*",
        metavar="OLD NEW",
        help="stack files, JSON of a plan, or - for JSON on stdin; with --stack, NEW is the "
        "stack's file",
    )
    diff.add_argument("--base", metavar="REV", help="the git revision to compare --stack with")
    _stack_options(diff)

    comment = command(
        "comment",
        _comment,
        "write the comment of a pull request, as Markdown",
        "ray-llm comment --stack prod --base main",
        "ray-llm comment --stack prod --base main --preview preview.json --commit 1a2b3c4",
    )
    _stack_options(comment)
    comment.add_argument("--base", metavar="REV", help="the git revision to compare with")
    comment.add_argument(
        "--preview", type=Path, metavar="FILE", help="the JSON of `pulumi preview --json`"
    )
    comment.add_argument("--commit", default="", metavar="SHA", help="the commit to name in it")

    drift = command(
        "drift",
        _drift,
        "show how far a deployed stack is from its stack file, as Markdown; exit code 1 if it is",
        "pulumi preview --refresh --show-sames --json --stack prod > preview.json",
        "ray-llm drift --preview preview.json",
    )
    drift.add_argument(
        "--preview",
        type=Path,
        required=True,
        metavar="FILE",
        help="the JSON of `pulumi preview --refresh --show-sames --json`",
    )

    from reports.cluster_options import add_cluster_commands

    add_cluster_commands(command, _stack_options)

    picture = command(
        "picture",
        _picture,
        "draw the pools, their GPUs and the models as SVG",
        "ray-llm picture --stack prod --out plan.svg",
    )
    _stack_options(picture)
    _out_option(picture)

    quotas = command(
        "quotas",
        _quotas,
        "write the section ray-llm:quotas from gcloud's answers about the project",
        "gcloud beta quotas info list --service=compute.googleapis.com --format=json > quotas.json",
        "ray-llm quotas --region us-central1 quotas.json",
        "gcloud compute regions describe us-central1 --format=json > region.json",
        "ray-llm quotas region.json quotas.json",
    )
    quotas.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="JSON of gcloud; stdin if none is named"
    )
    quotas.add_argument(
        "--region",
        metavar="REGION",
        help="the region of the stack; needed unless a file describes one",
    )

    schema = command(
        "schema",
        _schema,
        "write the JSON Schema of a stack file",
        "ray-llm schema --out stack.schema.json",
    )
    _out_option(schema)
    return parser


def _stack_options(parser: argparse.ArgumentParser, several: bool = False) -> None:
    if several:
        parser.add_argument(
            "files", nargs="*", type=Path, metavar="FILE", help="stack files, instead of --stack"
        )
    parser.add_argument("--stack", metavar="NAME", help="the stack of Pulumi.NAME.yaml")
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="the directory of the stack files; the current one by default",
    )
    parser.add_argument(
        "--assume-token",
        action="store_true",
        help="plan as if the stack had a Hugging Face token, if its file has none",
    )


def _out_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="FILE", help="the file to write; else stdout")


def _plan(options: argparse.Namespace) -> int:
    from models.problems import StackError
    from reports.plan_data import plan_summary
    from reports.sources import plan_of_file

    code = DEPLOYABLE
    documents: list[Any] = []
    for path in _files(options):
        try:
            plan = plan_of_file(path, options.assume_token)
        except StackError as error:
            code = STOPPED
            if options.json:
                documents.append(_stop_document(error))
            else:
                _complain(error)
            continue
        data = plan_summary(plan)
        if options.json:
            from reports.problem_data import problem_data

            problems = [problem_data(warning) for warning in plan.warnings]
            documents.append({**data, "problems": problems})
        elif options.markdown:
            from reports.plan_markdown import plan_markdown

            _print(plan_markdown(data))
        else:
            from reports.plan_text import plan_text

            _print(plan_text(data))
            _print_warnings(data["warnings"])
    if options.json:
        import json

        _print(json.dumps(documents[0] if len(documents) == 1 else documents, indent=2))
    return code


def _check(options: argparse.Namespace) -> int:
    from models.problems import StackError
    from reports.sources import plan_of_file

    code = DEPLOYABLE
    for path in _files(options):
        try:
            plan = plan_of_file(path, options.assume_token)
        except StackError as error:
            code = STOPPED
            _complain(error)
            continue
        _print_warnings([warning.sentence() for warning in plan.warnings])
    return code


def _print_warnings(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        _complain(f"warning: {sentence}")


def _files(options: argparse.Namespace) -> Sequence[Path]:
    """The stack files that are named, with the one of --stack."""
    if options.stack or not options.files:
        return [*options.files, _stack_file(options)]
    files: Sequence[Path] = options.files
    return files


def _stack_file(options: argparse.Namespace) -> Path:
    """The file of --stack. Raises SourceError if no stack is named."""
    from reports.sources import SourceError, stack_path

    if options.stack:
        return stack_path(options.stack, options.directory)
    names = sorted(
        path.name.removeprefix("Pulumi.").removesuffix(".yaml")
        for path in options.directory.glob("Pulumi.*.yaml")
    )
    known = f" ({', '.join(names)})" if names else ""
    raise SourceError(f"Name a stack: --stack NAME{known}.")


def _stop_document(error: "StackError") -> dict[str, Any]:
    """The problems that stop a stack, for programs."""
    from reports.problem_data import problem_data

    return {
        "stack": error.origin,
        "stops": [problem_data(problem) for problem in error.problems],
    }


def _diff(options: argparse.Namespace) -> int:
    from models.problems import stops
    from reports.difference import difference
    from reports.difference_markdown import difference_markdown
    from reports.rollout_warnings import rollout_problems
    from reports.sources import SourceError

    sources = list(options.sources)
    old: Source | None
    if options.base:
        if not options.stack or sources:
            raise SourceError(
                "diff --base REV: compares --stack NAME with its file at REV. Name a stack and no "
                "other file."
            )
        new = _source(str(_stack_file(options)), options)
        old = _source_of_base(options)
    else:
        if options.stack:
            sources.append(str(_stack_file(options)))
        if len(sources) != 2:
            raise SourceError("diff: name OLD and NEW, or OLD and --stack, or --base and --stack.")
        old, new = (_source(source, options) for source in sources)
    changes = difference(old.summary if old else None, new.summary)
    effects = _effects(old, new)
    _print(difference_markdown(changes, effects))
    found = effects.problems if effects else ()
    _print_problems([*found, *rollout_problems(changes, effects)])
    return STOPPED if stops(found) else DEPLOYABLE


def _source(name: str, options: argparse.Namespace) -> "Source":
    from reports.sources import Source, plan_of_file, text_of_file

    path = Path(name)
    if name != "-" and path.suffix != ".json":
        return Source.of(plan_of_file(path, options.assume_token))
    from reports.plan_reading import summary_of_json

    if name == "-":
        return Source(summary_of_json(sys.stdin.read(), "stdin"))
    return Source(summary_of_json(text_of_file(path), name))


def _source_of_base(options: argparse.Namespace) -> "Source | None":
    from reports.git_revision import plan_of_revision
    from reports.sources import Source

    plan = plan_of_revision(options.base, options.stack, options.directory, options.assume_token)
    return None if plan is None else Source.of(plan)


def _effects(old: "Source | None", new: "Source | None") -> "ChangeEffects | None":
    """What the change does; None if it is a new stack, or both plans are not known."""
    if old is None or new is None or old.plan is None or new.plan is None:
        return None
    from reports.change_effects import change_effects

    return change_effects(old.plan, new.plan)


def _print_problems(problems: "Sequence[Problem]") -> None:
    from models.problems import stops

    stopping = stops(problems)
    for problem in problems:
        _complain(f"{'stop' if problem in stopping else 'warning'}: {problem.sentence()}")


def _comment(options: argparse.Namespace) -> int:
    """Prints the comment even if the stack is stopped; the exit code says which it is."""
    from models.problems import StackError
    from reports.difference import difference
    from reports.pull_request_comment import CommentContent, comment

    path = _stack_file(options)
    new: Source | None = None
    stops: tuple[str, ...] = ()
    try:
        new = _source(str(path), options)
    except StackError as error:
        stops = tuple(problem.sentence() for problem in error.problems)
    old, no_old = _plan_before(options)
    changes = None
    if new is not None and not no_old:
        changes = difference(old.summary if old else None, new.summary)
    content = CommentContent(
        stack=options.stack,
        new=new.summary if new else None,
        stops=stops,
        changes=changes,
        effects=_effects(old, new) if changes else None,
        no_old=no_old,
        preview=_engine_preview(options.preview, options.stack),
        commit=options.commit,
    )
    _print(comment(content), end="")
    return STOPPED if content.is_stopped else DEPLOYABLE


def _plan_before(options: argparse.Namespace) -> "tuple[Source | None, str]":
    """The plan at --base, or the reason why there is nothing to compare with."""
    from models.problems import StackError
    from models.stack_file import StackFileError

    if not options.base:
        return None, "no base revision was named."
    try:
        return _source_of_base(options), ""
    except (StackError, StackFileError):
        return None, f"the stack could not be deployed at {options.base} either."


def _engine_preview(path: Path | None, stack: str) -> "EnginePreview | None":
    from reports.pulumi_preview import engine_preview
    from reports.sources import text_of_file

    return None if path is None else engine_preview(text_of_file(path), str(path), stack)


def _drift(options: argparse.Namespace) -> int:
    """Prints the drift. A preview that failed and shows none is no answer."""
    from reports.drift import drift_of
    from reports.drift_markdown import drift_markdown
    from reports.sources import text_of_file

    drift = drift_of(text_of_file(options.preview), str(options.preview))
    _print(drift_markdown(drift), end="")
    if drift.resources:
        return STOPPED
    return UNREADABLE if drift.errors else DEPLOYABLE


def _quotas(options: argparse.Namespace) -> int:
    from reports.gcloud_quotas import quota_section
    from reports.sources import text_of_file

    texts = [(str(path), text_of_file(path)) for path in options.files]
    _print(quota_section(texts or [("stdin", sys.stdin.read())], options.region), end="")
    return DEPLOYABLE


def _picture(options: argparse.Namespace) -> int:
    from reports.picture import plan_picture
    from reports.sources import plan_of_file

    plan = plan_of_file(_stack_file(options), options.assume_token)
    _write(plan_picture(plan), options.out)
    return DEPLOYABLE


def _schema(options: argparse.Namespace) -> int:
    from models.stack_schema import schema_text

    _write(schema_text(), options.out)
    return DEPLOYABLE


def _write(text: str, path: Path | None) -> None:
    from reports.sources import SourceError

    if path is None:
        _print(text, end="")
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{path}: cannot be written ({error.strerror}).") from None
