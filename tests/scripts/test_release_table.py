"""docs/releases.md shows what the catalogue and the results of the quick check say."""

from models.catalog import DEFAULT_KUBERAY, DEFAULT_RAY, ray_releases
from scripts import release_table

TEXT = release_table.PAGE.read_text(encoding="utf-8")


def test_the_page_shows_the_table_of_releases() -> None:
    """If it fails, run `python -m scripts.release_table`."""
    assert release_table.page(TEXT) == TEXT


def test_the_page_names_every_release_and_the_default() -> None:
    for ray in ray_releases():
        assert f"| {ray} | " in TEXT
    assert f"Ray {DEFAULT_RAY} with KubeRay {DEFAULT_KUBERAY}" in TEXT


def test_a_stale_table_is_written_again() -> None:
    stale = TEXT.replace(f"| {DEFAULT_RAY} | ", "| 0.0.0 | ")
    assert stale != TEXT
    assert release_table.page(stale) == TEXT
