"""One request of a load test: a prompt that no cache has seen, and its answer token by token.

`/v1/completions` is asked, because every model that generates has it, with a chat template or
without. `ignore_eos` is vLLM's: all answers have the same length, whatever the model would say.
"""

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final

import httpx2 as httpx

from measuring.errors import LoadError
from models.problems import without_secrets

_WORDS: Final = (
    "river",
    "stone",
    "cloud",
    "market",
    "winter",
    "paper",
    "engine",
    "garden",
    "letter",
    "mountain",
    "silver",
    "window",
)
_DONE: Final = "[DONE]"
_LONGEST_TEXT: Final = 300
_MOST_TOKENS: Final = 10_000_000
_UNAUTHORIZED: Final = (401, 403)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one request got. sent, first, last: seconds of a clock that only goes forward.

    first, last: when its first and its last token came.
    """

    sent: float
    first: float
    last: float
    prompt_tokens: int
    output_tokens: int


def prompt(words: int) -> str:
    """So many words behind an id of their own, so that no prefix is one of an earlier prompt."""
    return f"{uuid.uuid4().hex} " + " ".join(_WORDS[n * 7 % len(_WORDS)] for n in range(words))


async def ask(
    http: httpx.AsyncClient, model: str, words: int, output_tokens: int, seconds: float
) -> Answer:
    """Asks once and reads the whole answer. seconds: for all of it. Raises LoadError."""
    body = {
        "model": model,
        "prompt": prompt(words),
        "max_tokens": output_tokens,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    began = False
    try:
        async with asyncio.timeout(seconds):
            sent = time.monotonic()
            async with http.stream("POST", "completions", json=body) as response:
                if not response.is_success:
                    await response.aread()
                    raise _refusal(response, model)
                began = True
                return await _read(response, sent)
    except TimeoutError:
        raise LoadError(f"a request was not answered within {seconds:g} s") from None
    except httpx.ConnectError as error:
        raise LoadError(f"nothing answers at {shown(http.base_url)} ({error})") from None
    except (httpx.ReadError, httpx.RemoteProtocolError) as error:
        what = "an answer stopped in the middle" if began else "a request was cut off"
        why = str(error) or type(error).__name__
        raise LoadError(f"{what} ({why})", is_broken=True) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        why = str(error) or type(error).__name__
        raise LoadError(f"{shown(http.base_url)} cannot be asked ({why})") from None


def shown(url: httpx.URL) -> str:
    """An address without what it says of a user and a password."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None)).rstrip("/")


async def _read(response: httpx.Response, sent: float) -> Answer:
    first = last = 0.0
    usage: dict[str, Any] = {}
    done = False
    async for event in httpx.EventSource(response):
        if event.data == _DONE:
            done = True
            break
        content = _object(event.data)
        if content.get("error"):
            raise LoadError(f"an answer stopped in the middle: {_said(content)}", is_broken=True)
        if content.get("choices"):
            last = time.monotonic()
            first = first or last
        if isinstance(content.get("usage"), dict):
            usage = content["usage"]
    if not done:
        raise LoadError("an answer stopped in the middle (its stream has no end)", is_broken=True)
    prompt_tokens = _tokens(usage.get("prompt_tokens"))
    output_tokens = _tokens(usage.get("completion_tokens"))
    if prompt_tokens is None or output_tokens is None or not first:
        raise LoadError("the server does not say how many tokens an answer has (usage)")
    return Answer(
        sent=sent,
        first=first,
        last=last,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
    )


def _tokens(count: Any) -> int | None:
    """A number of tokens, at least one; None if it is none."""
    is_number = isinstance(count, int) and not isinstance(count, bool)
    return count if is_number and 0 < count <= _MOST_TOKENS else None


def _object(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise LoadError("an answer stopped in the middle (a part of it is no JSON)", is_broken=True)
    return content


def _refusal(response: httpx.Response, model: str) -> LoadError:
    code = response.status_code
    try:
        said = _said(response.json())
    except (ValueError, RecursionError):
        said = response.text
    # Before it is cut, so that no half of a key is left.
    _, _, key = response.request.headers.get("authorization", "").partition(" ")
    said = without_secrets(said.replace(key, "[key]") if key else said)
    said = f": {said[:_LONGEST_TEXT]}" if said.strip() else ""
    if response.is_redirect:
        return LoadError(f"the server sends requests elsewhere (HTTP {code})", code=code)
    if code in _UNAUTHORIZED:
        return LoadError(f"the server does not accept the key (HTTP {code}{said})", code=code)
    if code == httpx.codes.NOT_FOUND:
        return LoadError(f"the server has no model {model} at this address{said}", code=code)
    if code == httpx.codes.TOO_MANY_REQUESTS:
        return LoadError(f"the server limits requests or tokens (HTTP {code}{said})", code=code)
    return LoadError(f"the server answers HTTP {code}{said}", code=code)


def _said(content: Any) -> str:
    """The message of an error as OpenAI, Ray Serve or a gateway writes it."""
    if not isinstance(content, dict):
        return str(content)
    found = content.get("error") or content.get("detail") or content.get("message") or content
    if isinstance(found, dict):
        found = found.get("message", found)
    return str(found)
