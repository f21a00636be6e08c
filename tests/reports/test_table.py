"""A table as text and as Markdown."""

from reports.table import Row, Table, markdown_table, text_table

TABLE = Table(
    columns=("pool", "USD"),
    right=frozenset({"USD"}),
    rows=(Row(("l4", "1,000")), Row(("a", "5"), detail=True), Row(("total", "1,005"), total=True)),
)


def test_text_aligns_columns_and_indents_details() -> None:
    assert text_table(TABLE).splitlines() == [
        "pool    USD",
        "───────────",
        "l4    1,000",
        "  a       5",
        "total 1,005",
    ]


def test_text_that_is_too_wide_goes_on_in_the_next_line() -> None:
    row = ("m" * 70, "us-central1-a", "/" + "m" * 70)
    table = Table(columns=("model", "zone", "route"), right=frozenset(), rows=(Row(row),))
    lines = text_table(table, width=100).splitlines()
    assert max(map(len, lines)) <= 100
    assert "".join(lines[2:]).count("m") == 140
    assert any("us-central1-a" in line for line in lines)


def test_a_wide_table_breaks_between_words_first() -> None:
    row = Row(("rtx-pro-6000-x4-spot", "g4-standard-192 (spot)", "4 x NVIDIA RTX PRO 6000"))
    table = Table(columns=("pool", "machine", "GPUs"), right=frozenset(), rows=(row,))
    assert text_table(table, width=56).splitlines()[2:] == [
        "rtx-pro-6000-x4-spot g4-standard-192   4 x NVIDIA RTX",
        "                     (spot)            PRO 6000",
    ]


def test_markdown_aligns_numbers_and_marks_the_total() -> None:
    assert markdown_table(TABLE).splitlines() == [
        "| pool | USD |",
        "| --- | ---: |",
        "| l4 | 1,000 |",
        "| &nbsp;&nbsp;a | 5 |",
        "| **total** | **1,005** |",
    ]


def test_a_cell_cannot_leave_its_cell_in_markdown() -> None:
    row = Row(("a|b\nc <i> *d*", ""))
    text = markdown_table(Table(columns=("x", "y"), right=frozenset(), rows=(row,)))
    assert text.splitlines()[-1] == "| a\\|b c &lt;i> \\*d\\* |  |"
