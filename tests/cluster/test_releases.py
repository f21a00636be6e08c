"""What `tested` says of a release in the table, and the release of the tests' stacks."""

import pytest
import yaml

from localcloud.cluster.installation import installed
from localcloud.store import CHECKOUT
from models import catalog
from tests.cluster import releases


def test_the_local_cluster_runs_each_tested_release_with_its_vllm() -> None:
    vllm_of = {each.release: each.vllm_arguments.stem for each in installed().ray}
    for release in releases.tested_releases():
        assert vllm_of[release] == catalog.ray_releases()[release].vllm


def test_all_tests_run_every_night_with_each_tested_release() -> None:
    """The gate leaves out the thorough ones."""
    workflow = yaml.safe_load((CHECKOUT / ".github/workflows/nightly.yml").read_text())
    job = workflow["jobs"]["e2e"]
    assert sorted(job["strategy"]["matrix"]["ray"]) == sorted(releases.tested_releases())
    assert job["steps"][-1]["run"] == 'make e2e RAY="$RAY"'


def test_without_a_name_the_newest_tested_release_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(releases.VARIABLE, "")
    rows = [
        row.ray for row in catalog.ray_releases().values() if row.tested is catalog.Tested.CLUSTER
    ]
    assert releases.release().ray == rows[-1]


def test_a_release_that_the_cluster_cannot_run_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(releases.VARIABLE, "2.51.2")
    with pytest.raises(ValueError, match=r"does not run Ray 2\.51\.2, only 2\.49\.1, 2\.60\.0\."):
        releases.release()
