"""Writes dashboards for Grafana, as ConfigMaps that its sidecar finds by their label.

This module imports the SDK of Grafana, which takes a fifth of a second: only `objects` imports it,
and only when there is something to draw.
"""

from typing import Any, Final

from grafana_foundation_sdk.builders.common import VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard as DashboardBuilder
from grafana_foundation_sdk.builders.dashboard import DatasourceVariable
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from manifests.monitoring.panels import Dashboard, Panel
from manifests.monitoring.scraping import monitoring_metadata
from planning import Plan

_LABEL: Final = {"grafana_dashboard": "1"}
_WIDTH, _HEIGHT = 12, 8  # of the 24 columns of a page
_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")


def grafana_config_map(plan: Plan, dashboard: Dashboard) -> dict[str, Any]:
    """The ConfigMap of one dashboard, under the label that Grafana's Helm chart looks for."""
    metadata = monitoring_metadata(plan, f"dashboard-{dashboard.id}")
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**metadata, "labels": {**metadata["labels"], **_LABEL}},
        "data": {f"{dashboard.id}.json": grafana_json(dashboard)},
    }


def grafana_json(dashboard: Dashboard) -> str:
    """The dashboard in Grafana's own form, as it is imported by hand too."""
    builder = (
        DashboardBuilder(dashboard.title)
        .uid(dashboard.id)
        .tags(["ray-llm"])
        .time("now-6h", "now")
        .refresh("1m")
        .readonly()
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for panel in dashboard.panels:
        builder = builder.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(builder.build())


def _panel(panel: Panel) -> TimeSeries:
    legend = VizLegendOptions().show_legend(True)
    legend = legend.display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    drawn = (
        TimeSeries()
        .title(panel.title)
        .unit(panel.unit)
        .min(0)
        .span(_WIDTH)
        .height(_HEIGHT)
        .datasource(_SOURCE)
        .legend(legend)
    )
    for index, query in enumerate(panel.queries):
        drawn = drawn.with_target(
            Dataquery()
            .expr(query.expression)
            .legend_format(query.legend)
            .ref_id(chr(ord("A") + index))
            .datasource(_SOURCE)
        )
    return drawn
