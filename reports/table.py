"""A table and its two written forms: plain text of limited width, and Markdown.

rich is not used: its import and its rendering would add a fifth to the time of a plan on the
command line, and its Markdown tables neither align columns nor escape cells.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Final, NamedTuple

WIDTH: Final = 100  # columns of the text form; `pulumi preview` shows it among its diagnostics


class Row(NamedTuple):
    """One row. detail: part of the row above it; total: the sum of the rows above it."""

    cells: tuple[str, ...]
    detail: bool = False
    total: bool = False


class Table(NamedTuple):
    """A table. right: the titles of the columns whose cells align right."""

    columns: tuple[str, ...]
    right: frozenset[str]
    rows: tuple[Row, ...]


def text_table(table: Table, width: int = WIDTH) -> str:
    """Plain text with a rule below the header; cells that are too wide continue below."""
    rows = [_indented(row) for row in table.rows]
    widths = _widths([table.columns, *rows], width)
    right = [column in table.right for column in table.columns]
    rule = "─" * (sum(widths) + len(widths) - 1)
    lines = [*_lines(table.columns, widths, right), rule]
    for row in rows:
        lines += _lines(row, widths, right)
    return "\n".join(lines)


def _indented(row: Row) -> tuple[str, ...]:
    return (f"  {row.cells[0]}", *row.cells[1:]) if row.detail else row.cells


def _widths(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """The width of each column; the widest columns shrink until all of them fit.

    A column becomes narrower than its longest word only if no other column can shrink.
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    words = [max(len(word) for cell in column for word in cell.split(" ")) for column in columns]
    while sum(widths) + len(widths) - 1 > width and max(widths) > 1:
        spare = [index for index, word in enumerate(words) if widths[index] > word]
        widest = max(spare or range(len(widths)), key=lambda index: widths[index])
        widths[widest] -= 1
    return widths


def _lines(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> Iterable[str]:
    folded = [
        wrap(cell, width, break_on_hyphens=False) for cell, width in zip(cells, widths, strict=True)
    ]
    for parts in zip_longest(*folded, fillvalue=""):
        aligned = (
            part.rjust(width) if is_right else part.ljust(width)
            for part, width, is_right in zip(parts, widths, right, strict=True)
        )
        yield " ".join(aligned).rstrip()


def markdown_table(table: Table) -> str:
    """A table in GitHub's Markdown."""
    rules = ["---:" if column in table.right else "---" for column in table.columns]
    lines = [table.columns, rules, *map(_markdown_cells, table.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _markdown_cells(row: Row) -> Sequence[str]:
    cells = [_inline(cell) for cell in row.cells]
    if row.detail:
        return [f"&nbsp;&nbsp;{cells[0]}", *cells[1:]]
    return [f"**{cell}**" if cell else "" for cell in cells] if row.total else cells


# Emphasis, code, links, images, tables and formulas (GitHub takes $...$ for one). Underscores
# inside words are none, and names of settings are full of them.
_MARKUP: Final = re.compile(r"[\\`*\[\]|~$#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# What makes a quotation, a rule or another list at the beginning of a line.
_BEGINNING: Final = re.compile(r"(\d*)((?:(?<=\d)[.)]|[-+])(?=[ -]|$)|>)")
# GitHub searches the finished text for people, issues and addresses, so that a backslash before
# them is gone by then. A space without width between their parts is not.
_REFERENCE: Final = re.compile(
    r"@|#(?=\d)|\bGH-(?=\d)|\bwww\.|[A-Za-z]:(?=//)|mailto:|xmpp:", re.IGNORECASE
)
_ZERO_WIDTH: Final = "&#8203;"


def escape(text: str) -> str:
    """Text for Markdown as it stands: one line, one cell, and nothing in it that GitHub reads.

    That is no HTML, code, link or image, nobody who is notified, and no reference to an issue.
    """
    line = _inline(text)
    found = _BEGINNING.match(line)
    return f"{found[1]}\\{line[found.start(2) :]}" if found else line


def _inline(text: str) -> str:
    """As `escape`, for what does not stand at the beginning of a line."""
    line = _one_line(text)
    first, *others = map(_without_markup, _REFERENCE.split(line))
    marks = map(_without_markup, _REFERENCE.findall(line))
    pairs = zip(marks, others, strict=True)
    return first + "".join(f"{mark}{_ZERO_WIDTH}{part}" for mark, part in pairs)


def _without_markup(text: str) -> str:
    entities = text.replace("&", "&amp;").replace("<", "&lt;")
    return _MARKUP.sub(lambda found: f"\\{found[0]}", entities)


def code(text: str) -> str:
    """Text as code in Markdown, in which GitHub reads nothing; not for cells of a table."""
    line = _one_line(text)
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{space}{line}{space}{fence}"


def _one_line(text: str) -> str:
    """Without control characters, also those that turn the direction of what follows."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
