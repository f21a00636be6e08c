"""One line of a model's log for people."""

from diagnosis import LogLine

_OF = 8


def log_text(line: LogLine) -> str:
    """Time in UTC, source, and the text."""
    return (
        f"{line.at:%Y-%m-%d %H:%M:%S.%f}"[:-3]
        + f" {line.source:<7} {line.of[-_OF:]:<8} {line.text}"
    )
