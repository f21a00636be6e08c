"""What the real engine answers, refuses and counts is what the files here say it does.

The stand-in engine is compared with the same files (tests/cluster/test_stand_in.py), so neither can
change unnoticed. `make e2e-engine ARGS=--record` writes the files anew.
"""

from typing import Any

import pytest

from tests.cluster.deployed import ClusterDeployment
from tests.cluster.running import Cluster
from tests.real_engine.answers import answer, record, recorded, requests
from tests.real_engine.metrics import engine_metrics
from tests.real_engine.refusals import REFUSED, refuse
from tests.real_engine.stacks import AWAKE

pytestmark = pytest.mark.real_engine


def test_every_request_is_answered_as_recorded(
    deployment: ClusterDeployment, cluster: Cluster, recording: bool
) -> None:
    found = {each["name"]: answer(cluster, AWAKE["name"], each) for each in requests()}
    _compare("answers", found, recording)


def test_the_engines_metrics_have_the_recorded_names_and_types(
    deployment: ClusterDeployment, cluster: Cluster, recording: bool
) -> None:
    """After the requests of the tests before. Others appear when they first count something."""
    found: dict[str, Any] = engine_metrics(cluster, AWAKE["name"])
    if recording:
        record("metrics", found)
    assert recorded("metrics").items() <= found.items()


def test_every_refused_configuration_is_reported_as_recorded(
    deployment: ClusterDeployment, cluster: Cluster, recording: bool
) -> None:
    _compare("refusals", refuse(cluster, AWAKE["name"], list(REFUSED)), recording)


def _compare(name: str, found: dict[str, Any], recording: bool) -> None:
    if recording:
        record(name, found)
    assert found == recorded(name)
