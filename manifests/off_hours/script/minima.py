"""The least numbers of replicas in the text of a serve config, by day and while models sleep.

Only the numbers are replaced, so that the text by day is again the one that was deployed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

# Routes of versions that start beside others, in an update that is not at its end.
BESIDE = "/starting/"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def with_minima(text: str, minima: Mapping[str, Mapping[str, int]], asleep: Collection[str]) -> str:
    """The text with the minima of this moment.

    minima: those by day, by the route of the application and the name of the deployment.
    asleep: the routes of the applications that sleep.

    A number that is neither that of the day nor 0 was written by hand; by day it stays.
    Raises ValueError if the text is no serve config.
    """
    found = sorted(_numbers(text, minima), key=lambda item: item[0])
    parts, end = [], 0
    for start, stop, route, by_day in found:
        now = int(text[start:stop])
        wanted = 0 if route in asleep else now or by_day
        parts += [text[end:start], str(wanted)]
        end = stop
    return "".join([*parts, text[end:]])


def is_under_way(text: str) -> bool:
    """Whether a version starts beside another one; raises ValueError as `with_minima`."""
    routes = (_scalar(item, "route_prefix") for item in _items(_root(text), "applications"))
    return any(route is not None and route.value.startswith(BESIDE) for route in routes)


def _numbers(
    text: str, minima: Mapping[str, Mapping[str, int]]
) -> Iterator[tuple[int, int, str, int]]:
    """Begin and end of each number in the text, its application's route, and the day's number."""
    for application in _items(_root(text), "applications"):
        route = _scalar(application, "route_prefix")
        by_day = minima.get(route.value) if route is not None else None
        if route is None or by_day is None:
            continue
        for deployment in _items(application, "deployments"):
            name = _scalar(deployment, "name")
            if name is None or name.value not in by_day:
                continue
            least = _scalar(_value(deployment, "autoscaling_config"), "min_replicas")
            if least is not None and least.value.isdecimal():
                start, stop = least.start_mark.index, least.end_mark.index
                yield start, stop, route.value, by_day[name.value]


def _root(text: str) -> Any:
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError:
        raise ValueError("serveConfigV2 is not YAML") from None
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("serveConfigV2 is not a mapping")
    return root


def _value(node: Any, key: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value
    return None


def _scalar(node: Any, key: str) -> Any:
    value = _value(node, key)
    return value if isinstance(value, yaml.ScalarNode) else None


def _items(node: Any, key: str) -> list[Any]:
    value = _value(node, key)
    return list(value.value) if isinstance(value, yaml.SequenceNode) else []
