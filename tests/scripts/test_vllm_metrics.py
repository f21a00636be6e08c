"""What is read of metrics in the source of a release of vLLM."""

import pytest

from scripts.vllm_metrics import engine_metrics

LOGGERS = """
class PrometheusStatLogger:
    def __init__(self):
        gauge = self._gauge_cls(name="vllm:num_requests_running", documentation="x")
        counter = self._counter_cls(name="vllm:prompt_tokens", documentation="x")
        odd = self._histogram_cls(name="vllm:iteration_tokens_total", buckets=[1])
        other = self.make(name="vllm:not_a_metric")
"""
SANITIZING = 'return re.sub(r"[^a-zA-Z0-9_]", "_", name)'


@pytest.mark.parametrize(("wrappers", "prefix"), [(SANITIZING, "ray_vllm_"), ("", "ray_vllm:")])
def test_names_are_those_that_ray_exports(wrappers: str, prefix: str) -> None:
    files = {
        "vllm/v1/metrics/loggers.py": LOGGERS,
        "vllm/v1/metrics/ray_wrappers.py": wrappers,
    }
    assert engine_metrics(files.get) == {
        f"{prefix}iteration_tokens_total": "histogram",
        f"{prefix}num_requests_running": "gauge",
        f"{prefix}prompt_tokens_total": "counter",
    }


def test_a_release_without_them_is_refused() -> None:
    with pytest.raises(SystemExit, match="has no"):
        engine_metrics({}.get)
