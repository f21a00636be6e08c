"""Why an application does not run, in words that say what to look at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .http_json import one_line
from .serve_api import engine_error, failure_messages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .engine_log import EngineLogs
    from .settings import Settings


class _Meaning(NamedTuple):
    """What an error of a library means here."""

    error: re.Pattern[str]
    meaning: str


# The errors of huggingface_hub, and what transformers and vLLM make of them.
_MEANINGS = (
    _Meaning(
        re.compile(r"GatedRepoError|gated repo|is restricted and you are not in the"),
        "the repository is gated: its terms are not accepted by the owner of the token, or the "
        "token is missing or not allowed to read it",
    ),
    _Meaning(
        re.compile(
            r"RepositoryNotFoundError|Repository Not Found|LocalEntryNotFoundError"
            r"|is not a (valid model identifier|local folder)|OfflineModeIsEnabled"
            r"|Cannot find an appropriate cached snapshot"
            r"|(couldn't|could not|cannot|can't) (connect|find the requested files)",
            re.IGNORECASE,
        ),
        "the model's repository cannot be read: its name is misspelt, the token has no access to "
        "it, or the pods do not reach the hub",
    ),
)


def failure(
    application: Mapping[str, Any],
    serve_api: str,
    settings: Settings,
    logs: EngineLogs,
    *,
    final: bool = True,
) -> str:
    """The engine's last error on one line, from its log if Serve does not say it.

    serve_api: the address of the dashboard of its Ray cluster.
    final: whether Serve has given up.
    """
    for message in failure_messages(application):
        if cause := logs.hidden_cause(message, serve_api, settings, final=final):
            return _explained(cause)
    return _explained(engine_error(application))


def progress(
    application: Mapping[str, Any], serve_api: str, settings: Settings, logs: EngineLogs
) -> str:
    """The status of an application that does not run yet, with the engine's last error if any."""
    error = failure(application, serve_api, settings, logs, final=False)
    status = str(application["status"])
    return status if error == status else f"{status}: {error}"


def _explained(error: str) -> str:
    for known in _MEANINGS:
        if known.error.search(error):
            return one_line(f"{known.meaning} ({error})")
    return error
