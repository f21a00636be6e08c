"""The real Ray, Ray Serve and autoscaler of a tested release export what queries read.

Only with RAY_LLM_LOCALCLOUD_METRICS=1, because nodes that count take the machine's CPU from other
tests:

    RAY_LLM_LOCALCLOUD_METRICS=1 make e2e-shared E2E_TESTS=tests/cluster/test_monitoring.py

The engine is a stand-in, which counts nothing; tests/real_engine/test_monitoring.py asks a real
one.
"""

import os

import pytest

from localcloud.cluster.ray_node import METRICS_VARIABLE
from models.catalog import MetricSource
from tests.cluster.releases import release
from tests.cluster.scrape import assert_exported
from tests.cluster.service import Service
from tests.cluster.stacks import STEADY

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(
        os.environ.get(METRICS_VARIABLE) != "1", reason=f"{METRICS_VARIABLE} is not 1"
    ),
]


def test_every_name_of_the_table_is_exported_with_its_type_and_labels(service: Service) -> None:
    name = str(STEADY["name"])

    def ask() -> None:
        assert service.cluster.chat(name, name, "hello")[0] == 200

    sources = (MetricSource.RAY, MetricSource.SERVE, MetricSource.AUTOSCALER)
    assert_exported(service.cluster, release(), sources, ask)
