"""An update of a RayService that others changed since its preview."""

import copy
from typing import TYPE_CHECKING, Any, cast

import pytest

from components.changed_by_others import ChangedByOthersError, stop_if_changed
from manifests import RolloutManifest, service_manifests
from tests.manifests.plans import model, plan

if TYPE_CHECKING:
    from components.live_ray_service import LiveRayService

KUBERAY = "1.6.2"


class Live:
    """The live object alone."""

    def __init__(self, live: dict[str, Any] | None) -> None:
        self._live = live

    def object(self) -> dict[str, Any] | None:
        return self._live


def deployed(length: int) -> tuple[RolloutManifest, dict[str, Any]]:
    manifests = service_manifests(
        plan(models=[model("a", max_model_len=2048), model("b", max_model_len=length)])
    )
    return manifests.rollout, copy.deepcopy(dict(manifests.ray_service))


def update(live: dict[str, Any] | None) -> None:
    manifest, old = deployed(2048)
    _, new = deployed(4096)
    stop_if_changed(cast("LiveRayService", Live(live)), manifest, old, new, KUBERAY)


def by_hand(service: dict[str, Any]) -> dict[str, Any]:
    """Model a, which the update does not touch, with another context."""
    text = service["spec"]["serveConfigV2"].replace("max_model_len: 2048", "max_model_len: 512", 1)
    return {**service, "spec": {**service["spec"], "serveConfigV2": text}}


def test_an_object_that_is_as_the_state_has_it_or_gone_is_updated() -> None:
    update(deployed(2048)[1])
    update(None)


def test_an_update_that_would_undo_an_edit_by_hand_says_so_and_how_to_see_it() -> None:
    with pytest.raises(ChangedByOthersError) as error:
        update(by_hand(deployed(2048)[1]))
    said = str(error.value)
    assert "model a would be changed back (args.llm_configs[0].engine_kwargs.max_model_len)" in said
    assert said.endswith("Run `pulumi up --refresh`: its preview starts from the cluster.")


def test_what_an_interrupted_update_of_ours_sent_is_nobody_elses() -> None:
    """It has another Job than the state knows of."""
    manifest, live = deployed(1024)
    assert manifest.job_annotation in live["metadata"]["annotations"]
    update(by_hand(live))
