"""The commands that ask a running cluster, and their options."""

import argparse
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

Number = TypeVar("Number", int, float)
_EMPTY: Final = "''"


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

    cost = command(
        "cost",
        _cost,
        "set what a stack should cost beside what ran over a period; exit code 0 within the plan, "
        "1 above its maximum, 2 not known",
        "ray-llm cost --stack prod --since 24h",
        "ray-llm cost --stack prod --since 30d --prometheus http://localhost:9090",
    )
    _cluster_options(cost, stack_options)
    cost.add_argument(
        "--since",
        default="7d",
        metavar="AGE",
        help="how far the period goes back from now: 12h, 7d; 7d by default, 92d at most",
    )
    cost.add_argument(
        "--prometheus",
        metavar="URL",
        help="ask this Prometheus, which knows the whole period, instead of the cluster",
    )
    cost.add_argument(
        "--match",
        action="append",
        default=[],
        metavar="LABEL=VALUE",
        help="a label of the stack's series in Prometheus besides its namespace, such as "
        "cluster=llm-prod; can be repeated",
    )
    cost.add_argument("--json", action="store_true", help="as JSON")

    measure = command(
        "measure",
        _measure,
        "measure how fast a deployed model is, and write what the plan shows beside it; exit code "
        "0 written, 1 requests failed or what runs is not what is planned, 2 not known",
        "ray-llm measure llama-70b --stack prod",
        "OPENAI_API_KEY=... ray-llm measure llama-70b --stack prod --url https://llm.acme.example",
    )
    measure.add_argument("model", metavar="MODEL", help="the model's served name")
    _cluster_options(measure, stack_options)
    measure.add_argument(
        "--url",
        metavar="URL",
        help="the address below which all models answer; an external gateway by default, else a "
        "port that kubectl forwards to this machine",
    )
    measure.add_argument(
        "--key-env",
        default="OPENAI_API_KEY",
        metavar="NAME",
        help="the environment variable that holds a key of the gateway; OPENAI_API_KEY by default",
    )
    measure.add_argument(
        "--seconds",
        type=_seconds,
        default=30.0,
        metavar="N",
        help="how long each of the three levels takes, 2 to 600; 30 by default",
    )
    measure.add_argument(
        "--replicas",
        type=_replicas,
        metavar="N",
        help="how many replicas answer, if the cluster cannot be asked",
    )
    measure.add_argument("--json", action="store_true", help="as JSON")


def _seconds(text: str) -> float:
    return _number(float, text, 2, 600)


def _replicas(text: str) -> int:
    return _number(int, text, 1, 1000)


def _number(kind: Callable[[str], Number], text: str, least: int, most: int) -> Number:
    """ArgumentTypeError if it is none, or out of its range: argparse shows its text."""
    try:
        number = kind(text)
    except ValueError:
        number = None
    if number is None or not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text or _EMPTY} is not from {least} to {most}")
    return number


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


def _cost(options: argparse.Namespace) -> int:
    from reports.cost_command import cost

    return cost(options)


def _measure(options: argparse.Namespace) -> int:
    from reports.measure_command import measure

    return measure(options)
