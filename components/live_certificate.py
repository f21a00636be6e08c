"""Whether a cluster has the Secret of the gateway's certificate.

Only the hook of components/certificate_hook.py uses this module, and imports it when it asks.
"""

from collections.abc import Callable
from typing import Any, Final

from lightkube import ApiError
from lightkube.resources.core_v1 import Namespace, Secret

from components.cluster_access import ClusterAccess
from components.kubernetes_client import asked, connect, prepare, server_message
from rollouts import Absence, CertificateSecret, SeenSecret

prepare(Namespace, Secret)
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404


class RefusedError(Exception):
    """The API server does not show it; the text is a sentence that says why."""


def certificate_in(access: ClusterAccess, secret: CertificateSecret) -> SeenSecret | Absence:
    """What a cluster has of a Secret; its values are not kept.

    Raises RefusedError, or UnreachableError if the cluster does not answer at once.
    """
    client = connect(access)
    name, namespace = secret.name, secret.namespace
    found = _found(
        f"the Secret {namespace}/{name}",
        lambda: client.get(Secret, name, namespace=namespace),
    )
    if found is not None:
        keys = frozenset(key for key, value in (found.data or {}).items() if value)
        return SeenSecret(keys=keys)
    there = _found(f"the namespace {namespace}", lambda: client.get(Namespace, namespace))
    return Absence.NAMESPACE if there is None else Absence.SECRET


def _found(what: str, get: Callable[[], Any]) -> Any:
    """The object; None if there is none."""

    def ask() -> Any:
        try:
            return get()
        except ApiError as error:
            if error.status.code == _NOT_FOUND:
                return None
            raise

    def refusal(error: ApiError) -> RefusedError:
        if error.status.code == _FORBIDDEN:
            return RefusedError(f"you may not read {what}.")
        return RefusedError(f"the API server does not show {what} ({server_message(error)}).")

    # Whoever wants to know it is not kept waiting: the pods themselves tell in the end.
    return asked(what, ask, refusal, check="kubectl get secrets", undone="read", tries=1)
