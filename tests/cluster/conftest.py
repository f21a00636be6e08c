"""The product on the local cluster: one stack at a time on the cluster of a test process."""

from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import RunningCluster
from tests.cluster.releases import release
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stage import Stage

# Two processes take these groups in turn. The longest groups come first. A group that uses the
# small service follows one that leaves it deployed, such as test_service_pods after test_edits.
# test_lifecycle.py belongs to the local cloud.
GROUPS = (
    "test_faults.py",
    "test_doctor.py",
    "test_kuberay_crds.py",
    "test_autoscaling.py",
    "test_killed_engine.py",
    "test_handover.py",
    "test_gateway.py",
    "test_envoy_pods.py",
    "test_edits.py",
    "test_shipped_stacks.py[dev]",
    "test_service_pods.py",
    "test_monitoring.py",
    "test_going_back.py",
    "test_recreate.py",
    "test_head_loss.py",
    "test_drift.py",
    "test_off_hours.py",
    "test_release_rollout.py",
    # It destroys the small service.
    "test_rollout_predictions.py",
    "test_weights.py",
    "test_lifecycle.py",
    "test_shipped_stacks.py[staging]",
)


def pytest_report_header() -> str:
    try:
        return f"stacks of these tests: Ray {release().ray}"
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.fixture(scope="session")
def cluster(local_cluster: RunningCluster) -> Cluster:
    return Cluster(local_cluster.state)


@pytest.fixture(scope="session")
def stage(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, figures: Figures
) -> Iterator[Stage]:
    stage = Stage(cluster, tmp_path_factory, figures)
    yield stage
    stage.clear()


@pytest.fixture
def deployed_service(stage: Stage) -> Iterator[Service]:
    """The small service as the previous test left it, perhaps with a third model."""
    service = stage.small_service()
    yield service
    service.cluster.engine_faults({})
    service.deployment.end_updates()


@pytest.fixture
def service(deployed_service: Service) -> Service:
    """The small service with the stack file that it started with."""
    deployed_service.restore()
    return deployed_service


def group_of(nodeid: str) -> str:
    """The group that one process runs: a file, or one stack of test_shipped_stacks.py."""
    path = nodeid.removeprefix("devtools/localcloud/").removeprefix("tests/cluster/")
    file, _, test = path.partition("::")
    return f"{file}[{test.partition('[')[2]}" if file == "test_shipped_stacks.py" else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {group: rank for rank, group in enumerate(GROUPS)}
    items.sort(key=lambda item: ranks.get(group_of(item.nodeid), len(ranks)))


class GroupScheduling(LoadScopeScheduling):
    """Gives each process one group at a time."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    return GroupScheduling(config, log)
