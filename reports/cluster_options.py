"""The commands that ask a running cluster: `doctor`, `status` and `logs`, and their options."""

import argparse
from collections.abc import Callable
from typing import Protocol


class _Command(Protocol):
    def __call__(
        self, name: str, run: Callable[[argparse.Namespace], int], summary: str, *examples: str
    ) -> argparse.ArgumentParser: ...


def add_cluster_commands(
    command: _Command, stack_options: Callable[[argparse.ArgumentParser], None]
) -> None:
    """Adds the commands to the parser of `ray-llm`."""
    doctor = command(
        "doctor",
        _doctor,
        "say what is wrong with a deployed stack, since when, why, and what mends it; changes "
        "nothing; exit code 0 well, 1 something is wrong, 2 not known",
        "ray-llm doctor --stack prod",
        "ray-llm doctor --stack-file config/Pulumi.prod.yaml --context my-cluster --json",
    )
    _cluster_options(doctor, stack_options)
    doctor.add_argument("--json", action="store_true", help="as JSON")

    status = command(
        "status",
        _status,
        "show the models of a deployed stack: state, replicas, nodes, age, last error",
        "ray-llm status --stack prod",
        "ray-llm status --stack prod --watch",
    )
    _cluster_options(status, stack_options)
    status.add_argument("--json", action="store_true", help="as JSON, with --watch one line each")
    status.add_argument("--watch", action="store_true", help="again every five seconds")

    logs = command(
        "logs",
        _logs,
        "show what a model's replicas, engines and pods write, in the order of time",
        "ray-llm logs llama-70b --stack prod",
        "ray-llm logs llama-70b --stack prod --errors --since 1h",
    )
    logs.add_argument("model", metavar="MODEL", help="the model's served name")
    _cluster_options(logs, stack_options)
    logs.add_argument("--since", metavar="AGE", help="only newer lines: 30s, 10m, 2h, 1d")
    logs.add_argument("--errors", action="store_true", help="only errors, with their tracebacks")
    logs.add_argument("--follow", action="store_true", help="go on with what is written next")


def _cluster_options(
    parser: argparse.ArgumentParser, stack_options: Callable[[argparse.ArgumentParser], None]
) -> None:
    stack_options(parser)
    parser.add_argument("--stack-file", metavar="FILE", help="a stack file, instead of --stack")
    parser.add_argument(
        "--context",
        metavar="NAME",
        help="a context of the kubeconfig; the stack's cluster.context by default, or gcloud's "
        "name of its cluster, or the current one",
    )


# Each command imports its own modules, as all commands do.


def _doctor(options: argparse.Namespace) -> int:
    from reports.cluster_commands import doctor

    return doctor(options)


def _status(options: argparse.Namespace) -> int:
    from reports.cluster_commands import status

    return status(options)


def _logs(options: argparse.Namespace) -> int:
    from reports.cluster_commands import logs

    return logs(options)
