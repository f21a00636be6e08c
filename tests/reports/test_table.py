"""A table as text and as Markdown."""

import re
from typing import Any

import pytest
from markdown_it import MarkdownIt

from reports.table import Row, Table, code, escape, markdown_table, text_table

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
    row = Row(("a|b\nc <i> *d*", "+1.5"))
    text = markdown_table(Table(columns=("x", "y"), right=frozenset(), rows=(row,)))
    assert text.splitlines()[-1] == "| a\\|b c &lt;i> \\*d\\* | +1.5 |"


EVIL = (
    "[a](https://evil.example/x) ![i](http://evil.example/i.png) <https://evil.example> @acme/all "
    "mail me@evil.example #12 acme/x#3 GH-4 www.evil.example `code` <img src=x> &#64;acme &lt;b> "
    "**b** __b__ ~~s~~ $x$ [^1] a|b \\@acme \\`x \\[y](z)"
)


def shown_by(text: str) -> tuple[str, list[str]]:
    """The text that a renderer of Markdown shows, and the kinds of what it made of it."""
    kinds: list[str] = []
    texts: list[str] = []
    # GitHub finds addresses without brackets too, after which the test looks itself.
    for block in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        kinds.append(block.type)
        for part in block.children or ():
            kinds.append(part.type)
            texts.append(part.content)
    return "".join(texts), kinds


@pytest.mark.parametrize(
    "text",
    [EVIL, *EVIL.split(), "# h", "> q", "- l", "+ l", "1. l", "2) l", "---", "- - -", "-", "1."],
)
def test_nothing_of_a_text_is_alive_in_markdown(text: str) -> None:
    for line in (f"- {escape(text)}", f"x {escape(text)}"):
        shown, kinds = shown_by(line)
        assert set(kinds) <= {
            *("bullet_list_open", "list_item_open", "paragraph_open", "inline", "text"),
            *("text_special", "paragraph_close", "list_item_close", "bullet_list_close"),
        }
        # As it was, but for the spaces without width.
        assert shown.replace("\u200b", "").removeprefix("x ") == text
        # What GitHub's filters look for in the text that they get.
        assert not re.search(r"@\w|#\d|\bGH-\d|://|www\.\w", shown)


@pytest.mark.parametrize("text", [EVIL, *EVIL.split(), "`", "``a`", "a`", " ", "`` ``"])
def test_code_is_code_whatever_it_holds(text: str) -> None:
    _, kinds = shown_by(f"- {code(text)}, and *more*")
    assert kinds.count("code_inline") == 1
    assert not {"html_inline", "link_open", "image"} & set(kinds)
    assert "em_open" in kinds


@pytest.mark.parametrize("write", [escape, code])
def test_control_characters_are_written_out(write: Any) -> None:
    assert "\u202e" not in write("a\u202eb\x00")
    write("\ud800").encode()


def test_what_is_no_markup_stays_readable() -> None:
    for text in ("max_num_seqs 1.5 -> 2 (3 more), 50 % of l4-x2: a/b:c", "5-10 nodes", "0.5 GiB"):
        assert escape(text) == text
