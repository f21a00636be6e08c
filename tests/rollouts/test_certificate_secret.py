"""The Secret of the gateway's certificate: what stops a change, and what is only said."""

import pytest

from models.problems import Problem
from rollouts import Absence, CertificateSecret, SeenSecret, Sentence

SECRET = CertificateSecret(name="llm-tls", namespace="ai", wait_minutes=30)
COMMAND = "`kubectl create secret tls llm-tls --namespace ai --cert tls.crt --key tls.key`"
BOTH = frozenset({"tls.crt", "tls.key"})


@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize("creates", [True, False])
def test_a_tls_secret_is_nothing_to_speak_of(preview: bool, creates: bool) -> None:
    found = SeenSecret(keys=BOTH | {"ca.crt"})
    assert SECRET.judged(found, preview=preview, creates=creates) is None


@pytest.mark.parametrize(("preview", "creates"), [(True, True), (True, False), (False, False)])
def test_an_absent_secret_stops_with_the_command_that_makes_it(
    preview: bool, creates: bool
) -> None:
    problem = SECRET.judged(Absence.SECRET, preview=preview, creates=creates)
    assert isinstance(problem, Problem)
    assert problem.sentence() == (
        "ray-llm:access.certificate: llm-tls is no Secret of the namespace ai, and no pod of the "
        f"gateway starts without its certificate. Make it with {COMMAND}."
    )


def test_the_first_up_waits_for_a_secret_whose_namespace_it_has_just_made() -> None:
    said = SECRET.judged(Absence.SECRET, preview=False, creates=True)
    assert isinstance(said, Sentence)
    assert said.warns
    assert f"Make it now, with {COMMAND}; `up` waits for 30 minutes." in said.text


@pytest.mark.parametrize("creates", [True, False])
def test_a_secret_is_not_asked_for_before_its_namespace_is_there(creates: bool) -> None:
    said = SECRET.judged(Absence.NAMESPACE, preview=True, creates=creates)
    assert isinstance(said, Sentence)
    assert f"Once `up` has made the namespace, make the Secret with {COMMAND}" in said.text


@pytest.mark.parametrize(
    ("found", "lack"),
    [
        (SeenSecret(keys=frozenset({"tls.crt"})), "without tls.key"),
        (SeenSecret(keys=frozenset({"password"})), "without tls.crt and tls.key"),
    ],
)
@pytest.mark.parametrize("creates", [True, False])
def test_a_secret_that_holds_no_certificate_stops_every_change(
    found: SeenSecret, lack: str, creates: bool
) -> None:
    problem = SECRET.judged(found, preview=False, creates=creates)
    assert isinstance(problem, Problem)
    assert f"llm-tls is a Secret {lack} in the namespace ai" in problem.sentence()
    assert f"`kubectl delete secret llm-tls --namespace ai`, then {COMMAND}" in problem.sentence()
