"""Spans of time as people read them."""


def age(seconds: float) -> str:
    """`40 s`, `14 min`, `3.5 h` or `2.0 d`."""
    if seconds < 120:
        return f"{max(0, seconds):.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"
