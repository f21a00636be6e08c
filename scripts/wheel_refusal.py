"""The build hook of this project, which allows the editable install and refuses to build a wheel.

A wheel would put packages named `models`, `planning` or `components` at the top of another
environment's site-packages, where they collide with almost any program's own.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelRefusal(BuildHookInterface[Any]):
    """Stops the build of any wheel except the editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Called by hatchling before it builds; version: `standard` or `editable`."""
        if version != "editable":
            self.app.abort(
                "ray-llm: is not built as a wheel, because its packages (models, planning, "
                "components ...) would collide with those of other programs. Clone the repository "
                "and run `uv sync` in it, or `uv run --project <the clone> ray-llm`."
            )
