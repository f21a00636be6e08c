"""What programs are shown of a plan, and of pools that are decided without models."""

import pulumi
import pytest

from components import gpu_pools_or_stop
from models.stack import ClusterSettings, GpuPoolSettings, StackSettings

UNKNOWN_REGION = StackSettings(
    stack="pools",
    project="acme-ml",
    region="europe-north1",
    cluster=ClusterSettings(name="shared", existing=True, zones=("europe-north1-a",)),
    gpu_pools=(GpuPoolSettings(tier="l4"), GpuPoolSettings(tier="l4", spot=True)),
    models=(),
    has_hugging_face_token=False,
)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings that a preview would show."""
    warnings: list[str] = []
    monkeypatch.setattr(pulumi, "warn", warnings.append)
    return warnings


def test_warnings_about_pools_alone_are_shown(shown: list[str]) -> None:
    pools = gpu_pools_or_stop(UNKNOWN_REGION)
    assert [pool.id for pool in pools] == ["l4", "l4-spot"]
    assert len(shown) == 2
    assert "the catalogue does not know the zones of europe-north1" in shown[0]


def test_accepted_warnings_about_pools_alone_are_not_shown(shown: list[str]) -> None:
    accepting = UNKNOWN_REGION.model_copy(update={"accept": ("zones-unknown",)})
    assert len(gpu_pools_or_stop(accepting)) == 2
    assert shown == []


def test_pools_that_cannot_be_made_stop_the_run(shown: list[str]) -> None:
    twice = UNKNOWN_REGION.model_copy(update={"gpu_pools": (GpuPoolSettings(tier="l4"),) * 2})
    with pytest.raises(pulumi.RunError, match="l4 is also the name of an earlier pool"):
        gpu_pools_or_stop(twice)
