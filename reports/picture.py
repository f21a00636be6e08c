"""One picture of a plan, as SVG: the pools, their nodes, the GPUs and which model is on each.

Solid nodes are always up. Dashed nodes start under load, up to all models at their maximum. Each
model has a letter and a colour; a replica on two GPUs is drawn across both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import svg

from planning import Levels, ModelPlan, Plan, PoolPlan
from reports.formatting import span, usd, zone_letters

_WIDTH: Final = 1104
_MARGIN: Final = 28
_NODES_X: Final = 296  # left edge of the nodes, right of the pool's text
_LEGEND_X: Final = 716  # left edge of the models' names
_GPU: Final = 28
_GAP: Final = 8
_NODE_HEIGHT: Final = _GPU + 12
_MOST_NODES: Final = 24
_FONT: Final = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
_INK: Final = "#1b1f24"
_GREY: Final = "#5b6470"
_LINE: Final = "#c5ccd6"
# Eight colours that people with any colour vision can tell apart (Okabe and Ito, 2008), lightened
# so that black letters can be read on them.
_COLOURS: Final = (
    "#e69f00",
    "#56b4e9",
    "#00b386",
    "#f0e442",
    "#d690bb",
    "#e8704f",
    "#8f9df0",
    "#b8bec7",
)


@dataclass(kw_only=True)
class _Node:
    """One drawn node: replicas as (letter of the model, colour, GPUs), and its free GPUs."""

    free: int
    always: bool
    replicas: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """The letter and the colour of a model."""

    letter: str
    colour: str


def plan_picture(plan: Plan) -> str:
    """The picture as the text of an SVG file."""
    marks = {model.name: _mark(index) for index, model in enumerate(plan.models)}
    elements: list[svg.Element] = [*_heading(plan)]
    y = 112
    for pool in plan.pools:
        drawn, height = _pool(plan, pool, marks, y)
        elements += drawn
        y += height
    if not plan.cluster.existing:
        drawn, height = _cpu_pool(plan, y)
        elements += drawn
        y += height
    elements += _key(y + 14)
    height = y + 44
    picture = svg.SVG(
        width=_WIDTH,
        height=height,
        viewBox=svg.ViewBoxSpec(0, 0, _WIDTH, height),
        elements=[
            svg.Title(text=f"Plan of stack {plan.stack}"),
            svg.Rect(x=0, y=0, width=_WIDTH, height=height, fill="#ffffff"),
            svg.Style(text=f"text {{ font-family: {_FONT} }}"),
            *elements,
        ],
    )
    return f"{picture.as_str()}\n"


def _mark(index: int) -> _Mark:
    letter, number = chr(ord("A") + index % 26), index // 26
    return _Mark(
        letter=letter + (str(number) if number else ""), colour=_COLOURS[index % len(_COLOURS)]
    )


def _heading(plan: Plan) -> Iterable[svg.Element]:
    total = plan.cost.total
    low, typical, high = map(usd, map(float, (total.minimum, total.typical, total.maximum)))
    yield _text(_MARGIN, 44, f"Stack {plan.stack}", size=24, weight="bold")
    yield _text(
        _MARGIN,
        70,
        f"{len(plan.models)} models on cluster {plan.cluster.name} in {plan.region}  ·  "
        f"USD a month: {low} at least, {typical} typical, {high} at most",
        size=15,
        colour=_GREY,
    )


def _pool(
    plan: Plan, pool: PoolPlan, marks: dict[str, _Mark], y: int
) -> tuple[list[svg.Element], int]:
    models = [model for model in plan.models if model.pool == pool.id]
    cost = plan.cost.pools[pool.id]
    gpus = f"{pool.tier.gpu_count} x {pool.tier.gpu_name}, zones {zone_letters(pool.zones)}"
    spot = " (spot)" if pool.spot else ""
    if pool.ways:
        spot = f" ({', '.join(way.buying for way in pool.ways)})"
    up = span(pool.nodes_at_min, pool.nodes_at_max, " to ")
    lines = [
        f"{pool.machine_type}{spot}",
        gpus,
        f"{up} of at most {pool.max_nodes} nodes needed" if models else "no model uses it",
        _monthly(cost.monthly),
    ]
    elements: list[svg.Element] = [_rule(y)]
    elements.append(_text(_MARGIN, y + 28, pool.id, size=17, weight="bold"))
    elements += [
        _text(_MARGIN, y + 49 + 18 * number, line, size=13, colour=_GREY)
        for number, line in enumerate(lines)
    ]
    nodes = _nodes(models, pool, marks)
    drawn, bottom = _draw_nodes(nodes, pool.tier.gpu_count, y + 16)
    elements += drawn
    for number, model in enumerate(models):
        elements += _legend(model, marks[model.name], y + 16 + 38 * number)
    height = max(122, bottom - y + 14, 28 + 38 * len(models))
    return elements, height


def _nodes(models: Sequence[ModelPlan], pool: PoolPlan, marks: dict[str, _Mark]) -> list[_Node]:
    """The nodes with their replicas: first the nodes that are always up, then those under load."""
    nodes: list[_Node] = []
    for always in (True, False):
        replicas = [
            (model, marks[model.name])
            for model in models
            for _ in range(
                model.replicas.min if always else model.replicas.max - model.replicas.min
            )
        ]
        for model, mark in sorted(replicas, key=lambda entry: -entry[0].gpus_per_replica):
            gpus = model.gpus_per_replica
            node = next((node for node in nodes if node.free >= gpus), None)
            if node is None:
                if len(nodes) == pool.max_nodes:
                    continue  # the pool has no more nodes
                node = _Node(free=pool.tier.gpu_count, always=always)
                nodes.append(node)
            node.free -= gpus
            # A replica that starts under load is white, even on a node that is always up.
            node.replicas.append((mark.letter, mark.colour if always else "", gpus))
    kept = max(0, pool.min_nodes - len(nodes))
    return [*nodes, *(_Node(free=pool.tier.gpu_count, always=True) for _ in range(kept))]


def _draw_nodes(
    nodes: Sequence[_Node], gpus_per_node: int, y: int
) -> tuple[list[svg.Element], int]:
    """The nodes in lines, and the y at which the last line ends."""
    width = gpus_per_node * _GPU + 12
    a_line = max(1, (_LEGEND_X - 24 - _NODES_X + _GAP) // (width + _GAP))
    elements: list[svg.Element] = []
    for number, node in enumerate(nodes[:_MOST_NODES]):
        x = _NODES_X + number % a_line * (width + _GAP)
        top = y + number // a_line * (_NODE_HEIGHT + _GAP)
        elements += _draw_node(node, x, top, width)
    lines = -(-min(len(nodes), _MOST_NODES) // a_line)
    bottom = y + lines * (_NODE_HEIGHT + _GAP)
    if len(nodes) > _MOST_NODES:
        more = f"and {len(nodes) - _MOST_NODES} more nodes"
        elements.append(_text(_NODES_X, bottom + 12, more, size=13, colour=_GREY))
        bottom += 22
    if not nodes:
        elements.append(_text(_NODES_X, y + 24, "no nodes", size=13, colour=_GREY))
    return elements, bottom


def _draw_node(node: _Node, x: int, y: int, width: int) -> Iterable[svg.Element]:
    yield svg.Rect(
        x=x,
        y=y,
        width=width,
        height=_NODE_HEIGHT,
        rx=6,
        fill="#f5f7fa" if node.always else "#ffffff",
        stroke=_INK if node.always else _GREY,
        stroke_width=1.5 if node.always else 1,
        stroke_dasharray=None if node.always else [4, 3],
    )
    left = x + 6
    for letter, colour, gpus in node.replicas:
        yield svg.Rect(
            x=left + 1,
            y=y + 6,
            width=gpus * _GPU - 2,
            height=_GPU,
            rx=4,
            fill=colour or "#ffffff",
            stroke=_INK if colour else _GREY,
            stroke_width=1,
            stroke_dasharray=None if colour else [3, 2],
        )
        yield _text(left + gpus * _GPU // 2, y + 25, letter, size=14, weight="bold", middle=True)
        left += gpus * _GPU
    for _ in range(node.free):
        yield svg.Rect(
            x=left + 1, y=y + 6, width=_GPU - 2, height=_GPU, rx=4, fill="none", stroke=_LINE
        )
        yield _text(left + _GPU // 2, y + 24, "idle", size=10, colour=_GREY, middle=True)
        left += _GPU


def _legend(model: ModelPlan, mark: _Mark, y: int) -> Iterable[svg.Element]:
    yield svg.Rect(x=_LEGEND_X, y=y + 3, width=24, height=24, rx=4, fill=mark.colour, stroke=_INK)
    yield _text(_LEGEND_X + 12, y + 20, mark.letter, size=14, weight="bold", middle=True)
    yield _text(_LEGEND_X + 34, y + 13, _cut(model.name, 40), size=14)
    degree = f", {model.gpus_per_replica} GPUs each" if model.gpus_per_replica > 1 else ""
    replicas = span(model.replicas.min, model.replicas.max, " to ")
    about = f"{replicas} replicas{degree}, {model.max_model_len:,} tokens, {model.dtype}"
    yield _text(_LEGEND_X + 34, y + 30, about, size=12, colour=_GREY)


def _cpu_pool(plan: Plan, y: int) -> tuple[list[svg.Element], int]:
    pool, cost = plan.cluster.cpu_pool, plan.cost.cpu_pool
    elements: list[svg.Element] = [_rule(y)]
    elements.append(_text(_MARGIN, y + 28, pool.name, size=17, weight="bold"))
    nodes = cost.nodes if cost else None
    low, high = (int(nodes.minimum), int(nodes.maximum)) if nodes else (0, 0)
    lines = [
        pool.machine_type,
        f"{span(low, high, ' to ')} of at most {pool.max_nodes} nodes needed",
    ]
    lines.append(_monthly(cost.monthly if cost else None))
    elements += [
        _text(_MARGIN, y + 49 + 18 * number, line, size=13, colour=_GREY)
        for number, line in enumerate(lines)
    ]
    drawn, bottom = _draw_nodes(
        [_Node(free=0, always=number < low) for number in range(high)],
        1,
        y + 16,
    )
    elements += drawn
    gateway = "" if plan.access is None else ", gateway"
    about = f"Ray head, routers, KubeRay{gateway}: no GPUs"
    elements.append(_text(_LEGEND_X, y + 30, about, size=14))
    return elements, max(104, bottom - y + 14)


def _key(y: int) -> Iterable[svg.Element]:
    yield _rule(y - 14)
    yield _text(
        _MARGIN,
        y + 8,
        "Solid: always up.  Dashed: starts under load, up to every model's maximum.  "
        "idle: a GPU that is paid for and not used.",
        size=13,
        colour=_GREY,
    )


def _rule(y: int) -> svg.Element:
    return svg.Line(x1=_MARGIN, y1=y, x2=_WIDTH - _MARGIN, y2=y, stroke=_LINE)


def _text(
    x: int,
    y: int,
    text: str,
    *,
    size: int,
    colour: str = _INK,
    weight: str | None = None,
    middle: bool = False,
) -> svg.Element:
    return svg.Text(
        x=x,
        y=y,
        text=text,
        font_size=size,
        fill=colour,
        font_weight="bold" if weight else None,
        text_anchor="middle" if middle else None,
    )


def _monthly(levels: Levels | None) -> str:
    if levels is None:
        return "price unknown"
    low, high = usd(float(levels.minimum)), usd(float(levels.maximum))
    return f"USD {low} a month" if low == high else f"USD {low} to {high} a month"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
