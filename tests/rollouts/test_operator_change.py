"""What people read of another operator."""

import pytest

from models.stack import KubeRayInstall
from rollouts import operator_fields, operator_sentence

HELM = operator_fields(KubeRayInstall.HELM, "1.6.2")
EXISTING = operator_fields(KubeRayInstall.EXISTING, "1.6.2")
ADDON = operator_fields(KubeRayInstall.GKE_ADDON, "1.6.2")


def test_an_operator_that_goes_is_a_warning() -> None:
    sentence = operator_sentence(HELM, EXISTING)
    assert sentence is not None
    assert sentence.warns
    assert sentence.text.startswith(
        "KubeRay 1.6.2 is uninstalled, because ray-llm:kubeRay.install becomes existing"
    )


def test_an_operator_that_comes_may_be_the_second_one() -> None:
    sentence = operator_sentence(ADDON, HELM)
    assert sentence is not None
    assert "Two operators would work against each other" in sentence.text


@pytest.mark.parametrize(
    ("before", "after", "verb"),
    [("1.4.2", "1.6.2", "is upgraded"), ("1.6.2", "1.4.2", "is set back")],
)
def test_another_release_is_said_to_restart_the_operator(
    before: str, after: str, verb: str
) -> None:
    old, new = (operator_fields(KubeRayInstall.HELM, version) for version in (before, after))
    sentence = operator_sentence(old, new)
    assert sentence is not None
    assert f"KubeRay {verb} from {before} to {after}." in sentence.text
    assert not sentence.warns


def test_nothing_is_said_of_an_operator_that_stays_or_was_not_noted() -> None:
    assert operator_sentence(HELM, dict(HELM)) is None
    assert operator_sentence({}, {}) is None
