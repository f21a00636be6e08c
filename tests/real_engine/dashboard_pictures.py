"""Draws dashboards as a Prometheus answers their queries, for the docs."""

import re
from pathlib import Path
from typing import Any, Final

import pygal
from pygal.style import Style

from manifests.monitoring.panels import Dashboard, Panel, Query, Unit
from tests.manifests.monitoring.prometheus import Prometheus

STEP_SECONDS: Final = 5
_WIDTH, _HEIGHT, _TITLE = 560, 250, 40
_COLUMNS: Final = 2
_STYLE: Final = Style(
    background="white",
    plot_background="white",
    font_family="sans-serif",
    title_font_size=14,
    legend_font_size=11,
    label_font_size=10,
    major_label_font_size=10,
)
_FORMS: Final[dict[Unit, str]] = {
    "s": "{:.3g} s",
    "reqps": "{:.3g}/s",
    "percentunit": "{:.2%}",
    "short": "{:.3g}",
    "currencyUSD": "${:.2f}",
}


def draw(dashboard: Dashboard, prometheus: Prometheus, path: Path, start: int, end: int) -> None:
    """Writes an SVG of all panels.

    start, end: seconds since 1970.
    """
    charts = [_chart(panel, prometheus, start, end) for panel in dashboard.panels]
    rows = -(-len(charts) // _COLUMNS)
    width, height = _WIDTH * _COLUMNS, _HEIGHT * rows + _TITLE
    placed = [
        chart.replace(
            "<svg ",
            f'<svg x="{index % _COLUMNS * _WIDTH}" y="{index // _COLUMNS * _HEIGHT + _TITLE}" ',
            1,
        )
        for index, chart in enumerate(charts)
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n'
        f'<text x="16" y="27" font-family="sans-serif" font-size="20">{dashboard.title}</text>\n'
        + "\n".join(placed)
        + "\n</svg>\n"
    )


def _chart(panel: Panel, prometheus: Prometheus, start: int, end: int) -> str:
    lines: list[tuple[str, list[tuple[float, float | None]]]] = []
    for query in panel.queries:
        for series in prometheus.range(query.expression, start, end, STEP_SECONDS):
            values = {
                int(at): float(value)
                for at, value in series["values"]
                if value not in ("NaN", "+Inf")
            }
            if values:
                # A line has a gap where there is nothing, as Grafana draws it.
                points = [
                    ((at - start) / 60, values.get(at)) for at in range(start, end, STEP_SECONDS)
                ]
                lines.append((_legend(query, series["metric"]), points))
    chart = pygal.XY(
        title=panel.title,
        style=_STYLE,
        js=(),
        disable_xml_declaration=True,
        explicit_size=True,
        width=_WIDTH,
        height=_HEIGHT,
        show_dots=False,
        max_scale=6,
        legend_at_bottom=True,
        legend_at_bottom_columns=2,
        truncate_legend=-1,
        allow_interruptions=True,
        # Room above a line that stands still, and the same zero in all.
        range=(0, max((y or 0 for _, points in lines for _, y in points), default=0) * 1.1 or 1),
        xrange=(0, (end - start) / 60),
        x_labels=range(0, (end - start) // 60 + 1, 2),
        x_value_formatter="{:.0f} min".format,
        value_formatter=_FORMS[panel.unit].format,
        stroke_style={"width": 2},
    )
    for legend, points in lines:
        chart.add(legend, points)
    rendered: str = chart.render(is_unicode=True)
    # What does not belong to the picture: the version and day, and the name of every point's place.
    rendered = re.sub(r"<!--.*?-->", "", rendered, flags=re.DOTALL)
    return re.sub(r"<desc[^>]*>[^<]*</desc>", "", rendered)


def _legend(query: Query, labels: dict[str, Any]) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: str(labels.get(found[1], "")), query.legend)
