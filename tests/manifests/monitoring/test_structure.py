"""The kinds of both systems take what is written for them, by their CRDs."""

from pathlib import Path
from typing import Any

import pytest

from localcloud.providers.kubernetes import crds, structural
from localcloud.store import default_home
from manifests import monitoring_manifests
from models.monitoring import MonitoringSystem
from tests.manifests.monitoring.stacks import TESTED, monitored, monitoring


def definitions(system: MonitoringSystem) -> list[dict[str, Any]]:
    if system is MonitoringSystem.GMP:
        return crds.managed_prometheus_crds()
    return crds.prometheus_operator_crds(Path(default_home()) / "cache")


@pytest.mark.parametrize("ray", TESTED)
@pytest.mark.parametrize("system", [MonitoringSystem.GMP, MonitoringSystem.PROMETHEUS_OPERATOR])
def test_the_kinds_take_what_is_written(system: MonitoringSystem, ray: str) -> None:
    manifests = monitoring_manifests(monitored(ray, monitoring=monitoring(system)))
    assert manifests is not None
    schemas = {}
    for definition in definitions(system):
        [version] = definition["spec"]["versions"]
        whole = version["schema"]["openAPIV3Schema"]
        schemas[definition["spec"]["names"]["kind"]] = whole["properties"]["spec"]
    for written in (*manifests.pod_monitors, manifests.rules):
        assert list(structural.problems(written["spec"], schemas[written["kind"]])) == []
    wrong = {"endpoint": []}
    assert list(structural.problems(wrong, schemas[manifests.pod_monitors[0]["kind"]]))
