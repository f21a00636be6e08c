"""The small service on a local cluster that ends with the benchmark."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from localcloud.cluster.lifecycle import down, up
from tests.cluster.deployed import ClusterDeployment
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stacks import small_stack


@contextmanager
def small_service(releases: Sequence[str]) -> Iterator[Service]:
    """The small service, deployed with an engine that starts at once; releases: those of Ray."""
    with ExitStack() as until:
        home = Path(until.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        state = up(home, serve_port=0, dashboard_port=0, owner=os.getpid(), releases=list(releases))
        until.callback(down, home)
        cluster = Cluster(state)
        cluster.install_kuberay()
        config = small_stack()
        deployment = ClusterDeployment(home / "service", "small", config, cluster)
        deployment.must_up()
        yield Service(deployment, config)
