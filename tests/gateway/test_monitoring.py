"""The real Envoy exports what dashboards and alerts read of the gateway."""

from pathlib import Path

from models.catalog import MetricSource, metrics
from tests.gateway.backend import running_backend
from tests.gateway.client import chat
from tests.gateway.gateway import running_gateway
from tests.manifests.gateway.stacks import gateway_plan, key
from tests.manifests.plans import model


def test_every_name_of_the_table_is_exported_with_its_type_and_labels(tmp_path: Path) -> None:
    plan = gateway_plan(key("all"), key("slow", per_minute=6), models=(model("b.1"),))
    with (
        running_backend() as backend,
        running_gateway(tmp_path, plan, {"": backend.port}) as gateway,
    ):
        statuses = [chat(gateway, "b.1", "slow").status for _ in range(12)]
        assert chat(gateway, "b.1", "all").status == 200
        text = gateway.metrics()
    types = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE "))
    for metric in metrics().values():
        if metric.source is not MetricSource.GATEWAY:
            continue
        [name] = metric.names
        assert types[name] == metric.type
        lines = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
        assert any(all(f'{label}="' in line for label in metric.labels) for line in lines), name
    refused = statuses.count(429)
    assert refused > 0
    # What KeyIsAtItsLimit compares: all that a team asked, and all that was refused.
    assert f'envoy_http_gateway_rbac_policy_allowed{{team="slow"}} {len(statuses)}' in text
    assert f"envoy_limits_http_local_rate_limit_rate_limited{{}} {refused}" in text
