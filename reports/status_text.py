"""The models of a running service as a table."""

from collections.abc import Sequence

from diagnosis import ModelState, Part, Snapshot
from reports.durations import age
from reports.formatting import span
from reports.table import Row, Table, text_table

_COLUMNS = ("model", "state", "replicas", "of", "pool", "nodes", "age", "last error")
_LONGEST_ERROR = 160
_NEEDED = frozenset({Part.RAY_SERVICE, Part.PODS, Part.SERVE, Part.UPCOMING, Part.LOGS})


def status_text(states: Sequence[ModelState], snapshot: Snapshot) -> str:
    """The table, and what could not be seen."""
    rows = tuple(Row(_cells(state)) for state in states)
    lines = [text_table(Table(_COLUMNS, frozenset({"replicas", "of", "age"}), rows))]
    lines += [
        f"unseen: {item.part}: {item.why}" for item in snapshot.unseen if item.part in _NEEDED
    ]
    return "\n".join(lines)


def _cells(state: ModelState) -> tuple[str, ...]:
    starting = f", {state.starting} starting" if state.starting else ""
    error = state.error
    return (
        state.model,
        state.state,
        f"{state.running}{starting}",
        span(state.least, state.most),
        state.pool,
        ", ".join(state.nodes),
        "" if state.age_seconds is None else age(state.age_seconds),
        error if len(error) <= _LONGEST_ERROR else f"{error[: _LONGEST_ERROR - 3]}...",
    )
