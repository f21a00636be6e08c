"""The Secret whose certificate the gateway serves: what is said if a cluster does not have it.

Its pods mount it, so that none of them starts without it. Of a Secret that is there only the names
of its keys are known here, never a value. Its type does not matter to Envoy, and those who copy
Secrets from elsewhere often write `Opaque`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.problems import Problem
from rollouts.sentence import Sentence, listed

_KEYS: Final = ("tls.crt", "tls.key")


@dataclass(frozen=True, kw_only=True)
class SeenSecret:
    """A Secret that a cluster has; keys: the names of those that hold something."""

    keys: frozenset[str]


class Absence(StrEnum):
    """What a cluster does not have."""

    NAMESPACE = "namespace"
    """Nor can it have the Secret; or there is no cluster yet."""
    SECRET = "secret"  # noqa: S105 - a kind of object


@dataclass(frozen=True, kw_only=True)
class CertificateSecret:
    """A Secret by its name; wait_minutes: how long an `up` waits for pods that mount it."""

    name: str
    namespace: str
    wait_minutes: int

    def judged(
        self, found: SeenSecret | Absence, *, preview: bool, creates: bool
    ) -> Problem | Sentence | None:
        """What stops a change of the gateway's pods, or is said of it; None if all is there.

        creates: whether there are no such pods yet. An `up` that creates them may have created the
        namespace just before, which its preview did not stop: it waits for the Secret.
        """
        if isinstance(found, SeenSecret):
            return self._unusable(found)
        if found is Absence.NAMESPACE:
            return Sentence(
                f"The gateway needs the Secret {self.name} with its certificate, and its namespace "
                f"{self.namespace} is not there yet. Once `up` has made the namespace, make the "
                f"Secret with {self._made_with}; `up` waits for it, {self.wait_minutes} minutes "
                "once the models answer.",
                warns=True,
            )
        if creates and not preview:
            return Sentence(
                f"The gateway's pods wait for the Secret {self.name}, which the namespace "
                f"{self.namespace} does not have. Make it now, with {self._made_with}; `up` waits "
                f"for {self.wait_minutes} minutes.",
                warns=True,
            )
        return self._problem(
            f"is no Secret of the namespace {self.namespace}, and no pod of the gateway starts "
            "without its certificate",
            f"Make it with {self._made_with}",
        )

    def not_seen(self, why: str) -> Sentence:
        """What is said if the cluster does not tell; why: a sentence."""
        return Sentence(
            f"The gateway's certificate was not looked for: {why} Its pods do not start without "
            f"the Secret {self.name} in the namespace {self.namespace}.",
            warns=True,
        )

    def _unusable(self, found: SeenSecret) -> Problem | None:
        missing = [key for key in _KEYS if key not in found.keys]
        if not missing:
            return None
        return self._problem(
            f"is a Secret without {listed(missing, len(_KEYS))} in the namespace {self.namespace}, "
            f"and the gateway needs {listed(_KEYS, len(_KEYS))}",
            f"Name another one, or make it anew: `kubectl delete secret {self.name} --namespace "
            f"{self.namespace}`, then {self._made_with}",
        )

    def _problem(self, reason: str, remedy: str) -> Problem:
        return Problem(
            path="ray-llm:access.certificate",
            value=self.name,
            reason=reason,
            remedy=remedy,
            rule="access-certificate",
        )

    @property
    def _made_with(self) -> str:
        return (
            f"`kubectl create secret tls {self.name} --namespace {self.namespace} --cert tls.crt "
            "--key tls.key`"
        )
