"""Stops an update of a RayService that others changed since the preview judged it.

The preview judges from the state. Where the live object differs from that, because somebody edited
it, the update changes it back, and what then restarts was never said. `pulumi up --refresh` says
it: its preview starts from the live object.
"""

from collections.abc import Mapping
from typing import Any

from components.live_ray_service import LiveRayService
from manifests import RolloutManifest
from rollouts import as_live, predict, unforeseen


class ChangedByOthersError(Exception):
    """The live object is not what the preview judged; its text says what was changed."""


def stop_if_changed(
    service: LiveRayService,
    manifest: RolloutManifest,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    kuberay: str | None,
) -> None:
    """Compares what the update does to the live object with what it does to that of the state.

    old: the object as the state has it; new: as it is to be. What an interrupted update of this
    program left is nobody else's.
    Raises ChangedByOthersError, or RayServiceError or UnreachableError if it cannot be read.
    """
    live = service.object()
    if live is None or _deployed(live, manifest) != _deployed(old, manifest):
        return
    said = predict(old, new, kuberay)
    found = predict(as_live(old, live), new, kuberay)
    if clauses := unforeseen(said, found):
        raise ChangedByOthersError(
            f"The RayService {manifest.namespace}/{manifest.name} was changed by others since the "
            f"last `pulumi up`, which the preview did not see: {'; '.join(clauses)}. Run `pulumi "
            "up --refresh`: its preview starts from the cluster."
        )


def _deployed(service: Mapping[str, Any], manifest: RolloutManifest) -> Any:
    """The Job that tests what was deployed last."""
    return ((service.get("metadata") or {}).get("annotations") or {}).get(manifest.job_annotation)
