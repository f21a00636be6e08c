"""Names and selectors of a plan's metrics, of which alerts and dashboards make their queries."""

from dataclasses import dataclass
from typing import Literal

from manifests.serve_config import deployment_name
from models.catalog import Metric, exported_name, metrics
from models.monitoring import MonitoringSystem
from planning import ModelPlan, Plan

Suffix = Literal["", "_bucket", "_sum", "_count"]
RECORDED_COST = "ray_llm_usd_per_hour"
RECORDED_PLAN = "ray_llm_planned_usd_per_month"


@dataclass(frozen=True, kw_only=True)
class Queries:
    """Selects the time series of one service, by the keys of the catalogue's metrics."""

    plan: Plan

    def exports(self, key: str) -> bool:
        """Whether the plan's releases export a metric; KeyError if the catalogue has none."""
        return self._name(metrics()[key]) is not None

    def series(self, key: str, *matchers: str, suffix: Suffix = "", window: str = "") -> str:
        """A selector of a metric's series in this service.

        matchers: further ones, as `team="search"`.
        suffix: of a histogram.
        window: as `5m`, for a range of samples.
        ValueError if the plan's releases do not export the metric.
        """
        name = self._name(metrics()[key])
        if name is None:
            raise ValueError(f"Ray {self.plan.release.ray.ray} does not export {key}")
        everything = ",".join((*self._place, *matchers))
        return f"{name}{suffix}{{{everything}}}{_range(window)}"

    def recorded(self, name: str, *matchers: str, window: str = "") -> str:
        """A selector of what a recording rule of this service writes.

        Google's evaluator gives it the labels of the place; a Prometheus of the cluster gives none.
        """
        place = self._place if _is_google(self.plan) else ()
        everything = ",".join((*place, f'service="{self.service}"', *matchers))
        return f"{name}{{{everything}}}{_range(window)}"

    def nodes(self, pool: str) -> str:
        """The nodes of a pool that run Ray now; no value if none ever did."""
        return f"sum({self.series('nodes_active', of_pool(pool))})"

    @property
    def service(self) -> str:
        """The service's name and namespace, by which recorded series are told apart."""
        return f"{self.plan.service.namespace}/{self.plan.service.name}"

    @property
    def _place(self) -> tuple[str, ...]:
        return tuple(f'{name}="{value}"' for name, value in place_labels(self.plan).items())

    def _name(self, metric: Metric) -> str | None:
        return exported_name(metric, self.plan.release.ray, self.plan.release.vllm)


def place_labels(plan: Plan) -> dict[str, str]:
    """The labels of all series of a service that say where it is.

    Google's store has the metrics of all clusters of a project.
    """
    cluster = {"cluster": plan.cluster.name} if _is_google(plan) else {}
    return {**cluster, "namespace": plan.service.namespace}


def _is_google(plan: Plan) -> bool:
    return plan.monitoring is not None and plan.monitoring.system is MonitoringSystem.GMP


def of_engine(model: ModelPlan) -> str:
    """The matcher of a model's engines."""
    return f'model_name="{model.name}"'


def of_deployment(model: ModelPlan) -> str:
    """The matcher of a model's deployment in Ray Serve, of all its versions."""
    return f'deployment="{deployment_name(model.name)}"'


def of_application(model: ModelPlan) -> str:
    """The matcher of a model's applications; each version has one, with a hash in its name."""
    name = model.name.replace(".", "[.]")
    return f'application=~"{name}-[0-9a-f]{{8}}"'


def of_route(model: ModelPlan) -> str:
    """The matcher of a model at the gateway."""
    return f'model="{model.name}"'


def of_pool(pool: str) -> str:
    """The matcher of a pool's nodes, by its id."""
    return f'NodeType="{pool}"'


def or_zero(expression: str) -> str:
    """The value of an expression without labels, 0 if it has none."""
    return f"({expression} or vector(0))"


def _range(window: str) -> str:
    return f"[{window}]" if window else ""
