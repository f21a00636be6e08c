"""Blocks of a page that a program writes: from <!-- kind:name --> to <!-- /kind:name -->."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

_BLOCK: Final = re.compile(r"(<!-- (\w+:\w+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)


def refreshed(page: str, block: Callable[[str], str]) -> str:
    """A page's text with each block written again; `block` gives the Markdown of a name."""
    return _BLOCK.sub(lambda match: f"{match[1]}\n{block(match[2])}\n\n{match[3]}", page)


def refresh(path: Path, block: Callable[[str], str]) -> None:
    """Write the blocks of a page again."""
    path.write_text(refreshed(path.read_text(encoding="utf-8"), block), encoding="utf-8")
