"""Output of the commands: results to stdout, complaints to stderr, and no secret in either."""

import os
import sys


def print_result(text: str, end: str = "\n", flush: bool = False) -> None:
    """Prints a result without anything that looks like a token.

    A reader that has what it wanted (`| head`) changes no exit code.
    """
    from models.problems import without_secrets

    try:
        print(without_secrets(text), end=end, flush=flush)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - nothing may be written at exit either


def complain(message: object) -> None:
    """Prints a message to stderr, which a reader may have closed."""
    try:
        print(message, file=sys.stderr, flush=True)
    except BrokenPipeError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - as above
