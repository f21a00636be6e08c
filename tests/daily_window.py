"""A window of off-hours by the clock of now."""

from datetime import UTC, datetime, timedelta
from typing import Any


def daily_window(*, open_now: bool, **changes: Any) -> dict[str, Any]:
    """A daily window of twelve hours that is open now, or that opens in six hours."""
    now = datetime.now(UTC)
    begins = now - timedelta(hours=6) if open_now else now + timedelta(hours=6)
    ends = begins + timedelta(hours=12)
    return {
        "sleep": f"{begins.minute} {begins.hour} * * *",
        "wake": f"{ends.minute} {ends.hour} * * *",
        "timeZone": "UTC",
        **changes,
    }
