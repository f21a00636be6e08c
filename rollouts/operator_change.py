"""What it means if an edit changes who installs KubeRay, or its release."""

from collections.abc import Mapping
from typing import Any, Final

from models.catalog import release_number
from models.stack import KubeRayInstall
from rollouts.sentence import Sentence

DEFINITIONS_ANNOTATION: Final = "ray-llm/kuberay-version"
"""The annotation of KubeRay's CRDs that names the release of which they are."""

OperatorFields = Mapping[str, Any]
"""What is remembered of the operator: who installs it (`install`) and its release (`version`)."""


def operator_fields(install: KubeRayInstall, version: str) -> OperatorFields:
    """What is remembered of the operator; its release only if this program installs it."""
    helm = install is KubeRayInstall.HELM
    return {"install": str(install), "version": version if helm else None}


def operator_sentence(old: OperatorFields, new: OperatorFields) -> Sentence | None:
    """What happens to the operator; None if it stays."""
    before, after = old.get("version"), new.get("version")
    if old.get("install") != new.get("install"):
        who = f"ray-llm:kubeRay.install becomes {new.get('install')}"
        if before:
            return Sentence(
                f"KubeRay {before} is uninstalled, because {who}: from then on nobody starts, "
                "repairs or edits a Ray cluster unless another operator is in the cluster. What "
                "runs goes on.",
                warns=True,
            )
        if after:
            return Sentence(
                f"KubeRay {after} is installed, because {who}. Two operators would work against "
                "each other: remove the one that was there first.",
                warns=True,
            )
        return Sentence(f"{who}: whose operator it is changes nothing here.", warns=False)
    if before == after or not before or not after:
        return None
    verb = "is set back" if _is_older(after, before) else "is upgraded"
    return Sentence(
        f"KubeRay {verb} from {before} to {after}. The operator restarts, and rewrites the running "
        "Ray cluster in place if its release writes it in another form.",
        warns=False,
    )


def _is_older(release: str, other: str) -> bool:
    try:
        return release_number(release) < release_number(other)
    except ValueError:
        return False
