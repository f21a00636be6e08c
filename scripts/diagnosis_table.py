"""Writes the table of docs/doctor.md: every diagnosis, as the catalogue has it.

Run: python -m scripts.diagnosis_table
"""

from pathlib import Path
from typing import Final

from diagnosis import CATALOGUE
from scripts import doc_blocks

PAGE: Final = Path(__file__).parent.parent / "docs" / "doctor.md"


def page(text: str) -> str:
    """The page with its table written again."""
    return doc_blocks.refreshed(text, _table)


def _table(_: str) -> str:
    lines = ["| diagnosis | what you see | why | what mends it |", "|---|---|---|---|"]
    lines += [
        f"| {entry.id}{' (a note)' if entry.is_note else ''} | {entry.symptom} | {entry.cause} | "
        f"{entry.mends} |"
        for entry in CATALOGUE
    ]
    return "\n".join(lines)


def main() -> None:
    """Write the page."""
    doc_blocks.refresh(PAGE, _table)


if __name__ == "__main__":
    main()
