"""The real Ray, Ray Serve and autoscaler of a tested release export what queries read.

So does the stand-in engine, through the real Ray, where the release logs engine metrics by itself;
the stack has no monitoring, for which an older one would be told to, and there its models on a T4
have the V0 engine, which exports nothing. That the names are vLLM's own, tests/real_engine asks.

Only with RAY_LLM_LOCALCLOUD_METRICS=1, because nodes that count take the machine's CPU from other
tests. The gate (.ci/run) runs it so for each release, beside few others or none:

    RAY_LLM_LOCALCLOUD_METRICS=1 make e2e-shared E2E_TESTS=tests/cluster/test_monitoring.py
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

    sources = [MetricSource.RAY, MetricSource.SERVE, MetricSource.AUTOSCALER]
    if release().logs_engine_metrics:
        sources.append(MetricSource.VLLM)
    assert_exported(service.cluster, release(), sources, ask)
