"""A client of a cluster's API server, for hooks; imported only when there is something to do.

The client takes a quarter of a second to import.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import httpx2 as httpx
import yaml
from lightkube import ApiError, Client, KubeConfig, SingleConfig
from lightkube.config import client_adapter
from lightkube.core import decoders
from lightkube.core.exceptions import ConfigError
from lightkube.models.meta_v1 import ObjectMeta

from components.cluster_access import ClusterAccess
from models.problems import without_secrets

FIELD_MANAGER: Final = "ray-llm"
TIMEOUT_SECONDS: Final = 60
TRIES: Final = 5
_UNAUTHORIZED: Final = 401
_Made = TypeVar("_Made")
# lightkube reads kubeconfigs and answers with msgspec, of which 0.22.0 learns a type when it first
# reads one, and then is not safe in threads: hooks that read one at once, as those of several CRDs,
# ended the whole process (SIGSEGV).
_READING: Final = threading.Lock()
_prepared: Final[set[type]] = set()


def prepare(*kinds: type) -> None:
    """Let the client learn kinds of objects before threads ask for them.

    Each module calls it for all that it asks for, when it is imported.
    """
    with _READING:
        decoders.decode_status(b"{}")
        ObjectMeta.from_dict({})
        for kind in kinds:
            decoders.decode_object(b"{}", kind)
            decoders.decode_list(b'{"items": []}', kind)
            _prepared.add(kind)


prepare()


class UnreachableError(Exception):
    """The cluster does not answer, or nobody is signed in to it; the text has no secrets."""

    def __init__(self, text: str) -> None:
        super().__init__(without_secrets(text))


def connect(access: ClusterAccess) -> Client:
    """A client of the API; raises UnreachableError if the kubeconfig cannot be read."""
    return _made(
        access,
        lambda config: Client(
            config, field_manager=FIELD_MANAGER, timeout=httpx.Timeout(TIMEOUT_SECONDS)
        ),
    )


def http_client(access: ClusterAccess) -> httpx.Client:
    """An HTTP client of the API server, for what is no object; raises as `connect`."""
    return _made(
        access,
        lambda config: client_adapter.Client(
            config, client_adapter.ConnectionParams(timeout=httpx.Timeout(TIMEOUT_SECONDS))
        ),
    )


def _made(access: ClusterAccess, make: Callable[[SingleConfig], _Made]) -> _Made:
    try:
        content, file = access.content()
        with _READING:
            config = KubeConfig.from_dict(dict(content), fname=file).get(access.context)
        if config is None:
            raise ValueError("it names no cluster")
        return make(config)
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AssertionError,  # lightkube's own word for a context without a user
        yaml.YAMLError,
        ConfigError,
        httpx.InvalidURL,
    ) as error:
        raise UnreachableError(
            f"the kubeconfig does not lead to the cluster ({reason(error)}). Sign in with "
            "`gcloud container clusters get-credentials`, and check cluster.context."
        ) from None


def asked(
    what: str,
    ask: Callable[[], Any],
    refusal: Callable[[ApiError], Exception],
    check: str = "kubectl get crd",
    undone: str = "applied",
    tries: int = TRIES,
) -> Any:
    """The API server's answer; a server that cannot be reached is asked again.

    what: what is asked for; refusal: the error for an answer of the server that is one.
    check: the command that shows whether the cluster can be asked.
    undone: what was not done with it if nobody is signed in.
    tries: how often a server that cannot be reached is asked.
    Raises UnreachableError if it does not answer, or if nobody is signed in to it.
    """
    for attempt in range(1, tries + 1):
        try:
            return ask()
        except ApiError as error:
            if error.status.code == _UNAUTHORIZED:
                raise UnreachableError(
                    f"the cluster does not know who you are, so {what} was not {undone}. Sign in "
                    f"again (`{check}` answers), and run again."
                ) from None
            raise refusal(error) from None
        except (httpx.HTTPError, ConfigError, OSError, ValueError, KeyError) as error:
            if attempt == tries or isinstance(error, ConfigError | FileNotFoundError):
                raise UnreachableError(
                    f"the cluster cannot be asked for {what} ({reason(error)}). Check that "
                    f"you are signed in to it (`{check}` answers), and run again."
                ) from None
        time.sleep(attempt)
    raise AssertionError("the last try returns or raises")


def server_message(error: ApiError) -> str:
    """What the API server says of a refusal, on one line of readable length."""
    return " ".join(str(error.status.message or error.status.reason).split())[:300]


def reason(error: BaseException) -> str:
    """An error on one line of readable length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."
