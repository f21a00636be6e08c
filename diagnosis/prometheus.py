"""What ran in a period by Prometheus, from the metrics of Ray's autoscaler and of Ray Serve.

A GPU pool has one Ray worker a node, so that the autoscaler's nodes are the pool's. A node that
starts or goes without Ray on it is paid for and not seen: some minutes each time.
"""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Final
from urllib.parse import urlsplit

from diagnosis.cluster_api import NotReadError, answer_at
from diagnosis.finding import one_line
from diagnosis.unreachable import UnreachableError
from diagnosis.usage import Period, Usage
from manifests import MODEL_DEPLOYMENT
from models.catalog import exported_name, metrics
from models.problems import without_secrets
from planning import ModelPlan, Plan

ANSWER_SECONDS: Final = 20.0
_MOST_SAMPLES: Final = 2000
_SHORTEST_STEP: Final = 60
_TOO_MANY: Final = 1_000_000
# An application has an ingress beside its engines, whose replicas have no GPU.
_ENGINES: Final = f'deployment=~"{MODEL_DEPLOYMENT}.*"'


class Prometheus:
    """A Prometheus, or what answers as one: Google's frontend, Thanos, Mimir."""

    def __init__(self, url: str, matchers: Mapping[str, str]) -> None:
        """matchers: labels of the stack's series. Raises UnreachableError if it is no address."""
        self.shown = _shown(url)
        self._url = url
        self._matchers = ",".join(f"{name}={_quoted(value)}" for name, value in matchers.items())

    def usage(self, plan: Plan, period: Period) -> Usage:
        """What ran. Raises UnreachableError if Prometheus does not answer."""
        step = max(_SHORTEST_STEP, math.ceil(period.hours * 3600 / _MOST_SAMPLES))
        of_nodes, of_replicas = _name(plan, "nodes_active"), _name(plan, "replicas_healthy")
        nodes = self._sums(f"{of_nodes}{{{self._matchers}}}", "NodeType", period, step)
        engines = f"{of_replicas}{{{self._matchers},{_ENGINES}}}"
        replicas = self._sums(engines, "application", period, step)
        seen = {sample for series in nodes.values() for sample in series}
        wanted = math.floor(period.hours * 3600 / step)
        gaps = list(_gaps(f"{self.shown} has no {of_nodes}", len(seen), wanted, step))
        if not replicas:
            gaps.append(f"{self.shown} has no {of_replicas}, so that nothing is known of replicas.")
        return Usage(
            period=period,
            source=self.shown,
            # A pool without a series had no node, if the autoscaler said anything at all.
            node_hours={pool.id: _hours(nodes.get(pool.id, {}), step) for pool in plan.pools}
            if nodes
            else {},
            gpu_hours={model.name: _gpu_hours(model, replicas, step) for model in plan.models}
            if replicas
            else {},
            is_whole=not gaps,
            gaps=tuple(gaps),
        )

    def _sums(
        self, series: str, by: str, period: Period, step: int
    ) -> Mapping[str, Mapping[float, float]]:
        """The sum of series at each moment, by the value of a label."""
        params = {
            "query": f"sum by ({by}) ({series})",
            "start": f"{period.start.astimezone(UTC).timestamp():.0f}",
            # Each sample stands for the step behind it.
            "end": f"{period.end.astimezone(UTC).timestamp() - step:.0f}",
            "step": str(step),
        }
        found: dict[str, dict[float, float]] = {}
        for sums in self._asked(params):
            labels, values = sums.get("metric"), sums.get("values")
            if not isinstance(labels, dict) or not isinstance(values, list):
                continue
            key = str(labels.get(by) or "")
            samples = found.setdefault(key, {})
            for sample in values:
                moment, value = _sample(sample)
                if value is not None:
                    samples[moment] = samples.get(moment, 0.0) + value
        return found

    def _asked(self, params: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        try:
            code, text = answer_at(self._url, "api/v1/query_range", params, ANSWER_SECONDS)
        except NotReadError as error:
            raise UnreachableError(f"{self.shown} cannot be asked ({error}).") from None
        try:
            content = json.loads(text)
            result = content["data"]["result"] if content["status"] == "success" else None
        except (ValueError, KeyError, TypeError, RecursionError):
            content, result = None, None
        if not isinstance(result, list) or not all(isinstance(item, dict) for item in result):
            said = content.get("error") if isinstance(content, dict) else text
            raise UnreachableError(
                f"{self.shown} does not answer as a Prometheus does (HTTP {code}: "
                f"{without_secrets(one_line(str(said)))[:200]})."
            )
        return result


def _shown(url: str) -> str:
    """An address without what it says of a user and a password."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = url.rpartition("@")[2]
        raise UnreachableError(f"{shown} is no address of a Prometheus. Write http://HOST:9090.")
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _name(plan: Plan, key: str) -> str:
    name = exported_name(metrics()[key], plan.release.ray, plan.release.vllm)
    if name is None:
        raise UnreachableError(f"Ray {plan.release.ray.ray} says nothing of {key}.")
    return name


def _gaps(has_none: str, seen: int, wanted: int, step: int) -> list[str]:
    if not seen:
        return [f"{has_none} of this stack in the period; --match says whose it is."]
    missing = (wanted - seen) * step
    # The first and the last sample may lie outside.
    if missing <= 2 * step:
        return []
    return [
        f"Of {missing / 3600:.1f} h of the period Prometheus has no sample, so that the hours are "
        "the least that there were."
    ]


def _sample(sample: Any) -> tuple[float, float | None]:
    try:
        moment, value = float(sample[0]), float(sample[1])
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        return 0.0, None
    # A number of nodes or replicas; NaN is none either.
    return moment, value if 0 <= value < _TOO_MANY else None


def _hours(samples: Mapping[float, float], step: int) -> float:
    return sum(samples.values()) * step / 3600


def _gpu_hours(model: ModelPlan, replicas: Mapping[str, Mapping[float, float]], step: int) -> float:
    """Of all versions of a model: each has an application with a hash behind its name."""
    hours = 0.0
    for application, samples in replicas.items():
        name, _, version = application.rpartition("-")
        if name == model.name and version:
            hours += _hours(samples, step)
    return hours * model.gpus_per_replica


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
