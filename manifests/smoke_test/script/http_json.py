"""Requests with JSON bodies inside the cluster, and errors as one line without a token."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

REQUEST_SECONDS = 120.0
MESSAGE_LIMIT = 600
# The pattern of models/problems.py, which is not in the cluster; a test compares the two.
TOKEN = re.compile(
    r"hf_(?!(?:overrides|token|config_path|quant_config)\b)[A-Za-z0-9_]{6,}|api_(?:org_)?[A-Za-z0-9]{20,}"
)


def fetch(
    url: str,
    body: Mapping[str, Any] | list[Any] | None = None,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
    method: str | None = None,
) -> dict[str, Any]:
    """The JSON object that `url` answers; a request with a body is a POST unless `method` is given.

    Raises OSError (HTTPError and timeouts too) or ValueError.
    """
    method = method or ("GET" if body is None else "POST")
    answer = json.loads(send(method, url, body, headers, context))
    if not isinstance(answer, dict):
        raise ValueError(f"{url} answers no JSON object")
    return answer


def send(
    method: str,
    url: str,
    body: Mapping[str, Any] | list[Any] | None = None,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> bytes:
    """The body of the answer, which may be empty; raises OSError."""
    request = urllib.request.Request(  # noqa: S310 - only addresses that the Job's environment gives
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **(headers or {})},
    )
    # No proxy: every address is inside the cluster.
    handlers: list[Any] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)
    try:
        with opener.open(request, timeout=REQUEST_SECONDS) as response:
            answer: bytes = response.read()
    except http.client.HTTPException as error:
        raise OSError(f"the connection broke off: {error!r}") from error
    return answer


def reason(error: Exception) -> str:
    """What an error says, on one line."""
    if isinstance(error, urllib.error.HTTPError):
        body = error.read(4000).decode("utf-8", "replace")
        return one_line(f"HTTP {error.code} {body}")
    return one_line(str(getattr(error, "reason", None) or error) or type(error).__name__)


def one_line(text: str) -> str:
    """The text on one line, cut to a readable length, with tokens blanked."""
    line = TOKEN.sub("[secret]", " ".join(text.split()))
    return line if len(line) <= MESSAGE_LIMIT else f"{line[: MESSAGE_LIMIT - 3]}..."
