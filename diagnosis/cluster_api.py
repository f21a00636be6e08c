"""Questions to a cluster's API server, and nothing else: this client can only GET.

It uses the caller's own kubeconfig and rights. Ray's dashboard is asked through the API server's
service proxy, so that no port has to be forwarded.
"""

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import httpx2 as httpx
import yaml
from lightkube import KubeConfig, SingleConfig
from lightkube.config import client_adapter
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError

from diagnosis.finding import one_line
from diagnosis.unreachable import UnreachableError

AMBIENT_KUBECONFIG: Final = "~/.kube/config"
CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 3.0
# A list of names, without the objects: no value of a Secret leaves the API server.
NAMES_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
NAME_ONLY: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

# What an API server says if it cannot pass a question on to a pod or a Service.
_NOT_REACHED: Final = "error trying to reach service: "


class NotReadError(Exception):
    """One thing could not be read, and why. code: the HTTP status; 0 if there was no answer."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(one_line(text))
        self.code = code


@dataclass(frozen=True)
class Answer:
    """A JSON object, and the time of the server that sent it."""

    content: Mapping[str, Any]
    server_time: datetime | None


class ClusterApi:
    """The API server of one cluster, for questions."""

    def __init__(self, http: httpx.Client, context: str) -> None:
        http.event_hooks = {"request": [_refuse_changes]}
        self._http = http
        self.context = context

    def read(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        accept: str = "application/json",
        seconds: float = ANSWER_SECONDS,
    ) -> Answer:
        """The JSON object at a path. Raises NotReadError."""
        response = self._got(path, params, accept, seconds)
        try:
            content = response.json()
        except ValueError:
            raise NotReadError("the answer is no JSON", response.status_code) from None
        if not isinstance(content, dict):
            raise NotReadError("the answer is no JSON object", response.status_code)
        return Answer(content, _date(response))

    def text(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        seconds: float = ANSWER_SECONDS,
    ) -> str:
        """The text at a path. Raises NotReadError."""
        return self._got(path, params, "*/*", seconds).text

    def _got(
        self, path: str, params: Mapping[str, str] | None, accept: str, seconds: float
    ) -> httpx.Response:
        timeout = httpx.Timeout(max(seconds, 0.1), connect=min(CONNECT_SECONDS, max(seconds, 0.1)))
        with _explained():
            response = self._http.get(
                path, params=dict(params or {}), headers={"Accept": accept}, timeout=timeout
            )
        if response.is_error:
            raise _refusal(response)
        return response


def connect(contexts: Callable[[Mapping[str, Any]], str | None]) -> ClusterApi:
    """The API of the cluster that the caller's kubeconfig names.

    contexts: chooses one of the contexts by name; None for the current one.
    Raises UnreachableError if there is no kubeconfig, or if it does not lead to a cluster.
    """
    # As kubectl does, though of several files only the first is read.
    path = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or AMBIENT_KUBECONFIG
    try:
        config = KubeConfig.from_file(path)
        chosen = config.get(contexts(config.contexts))
        if chosen is None:
            raise ConfigError("it names no cluster")
        user = chosen.user or User()
        return ClusterApi(_http(chosen._replace(user=user)), chosen.context_name)
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        yaml.YAMLError,
        ssl.SSLError,
        ConfigError,
    ) as error:
        if not Path(path).expanduser().is_file():
            raise UnreachableError(
                f"There is no kubeconfig at {path}. Sign in with `gcloud container clusters "
                "get-credentials`, or name the file in KUBECONFIG."
            ) from None
        raise UnreachableError(
            f"{path}: does not lead to the cluster ({one_line(error)}). Sign in with `gcloud "
            "container clusters get-credentials`, or name a context with --context."
        ) from None


def _http(config: SingleConfig) -> httpx.Client:
    return client_adapter.Client(config, client_adapter.ConnectionParams())


def answer_at(url: str, path: str, params: Mapping[str, str], seconds: float) -> tuple[int, str]:
    """The status and the text of what is no cluster's, as a Prometheus. Raises NotReadError."""
    with (
        _explained(),
        httpx.Client(base_url=url, event_hooks={"request": [_refuse_changes]}) as http,
    ):
        response = http.get(path, params=dict(params), timeout=seconds)
        return response.status_code, response.text


def _refuse_changes(request: httpx.Request) -> None:
    if request.method != "GET":
        raise PermissionError(f"{request.method} {request.url.path}: a diagnosis changes nothing")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException:
        raise NotReadError("it does not answer in time") from None
    except FileNotFoundError as error:
        raise NotReadError(
            f"the program {error.filename}, by which the kubeconfig signs in, is not installed"
        ) from None
    except (
        httpx.HTTPError,
        httpx.InvalidURL,
        ConfigError,
        OSError,
        ValueError,
        KeyError,
    ) as error:
        raise NotReadError(str(error) or type(error).__name__) from None


def _refusal(response: httpx.Response) -> NotReadError:
    """What a server says of a refusal: the API server's JSON, or any text."""
    code = response.status_code
    try:
        message = response.json().get("message")
    except (ValueError, AttributeError):
        message = None
    if code == httpx.codes.UNAUTHORIZED:
        return NotReadError("the cluster does not know who you are; sign in again", code)
    if code == httpx.codes.FORBIDDEN:
        return NotReadError(f"you have no right to it ({message or response.text})", code)
    if str(message).startswith(_NOT_REACHED):
        # Its end says why; what stands before names sockets of the API server's own.
        reason = str(message).rpartition(": ")[2]
        return NotReadError(f"it does not answer the API server ({reason})", code)
    return NotReadError(f"HTTP {code}: {message or response.text or 'no text'}", code)


def _date(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError, TypeError):
        return None
