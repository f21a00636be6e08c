"""docs/doctor.md shows what the catalogue of diagnoses says."""

from scripts import diagnosis_table

TEXT = diagnosis_table.PAGE.read_text(encoding="utf-8")


def test_the_page_shows_the_table_of_diagnoses() -> None:
    """If it fails, run `python -m scripts.diagnosis_table`."""
    assert diagnosis_table.page(TEXT) == TEXT


def test_a_stale_table_is_written_again() -> None:
    stale = TEXT.replace("| node-quota | ", "| node-quotas | ")
    assert stale != TEXT
    assert diagnosis_table.page(stale) == TEXT
