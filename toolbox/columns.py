"""Text laid out in columns on a terminal: ls -C and -x, and whatever else lists names."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def display_width(text: str) -> int:
    """Columns that a text takes on a terminal: 2 for wide characters, 0 for combining ones."""
    if text.isascii():
        return len(text)
    import unicodedata

    width = 0
    for c in text:
        if unicodedata.combining(c) or unicodedata.category(c) in ("Cf", "Me", "Mn"):
            continue
        width += 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1
    return width


def terminal_width(fd: int = 1, default: int = 80) -> int:
    """Columns of the terminal: $COLUMNS, else what the terminal on `fd` says, else `default`."""
    text = os.environ.get("COLUMNS", "")
    if text.isascii() and text.isdecimal() and int(text) > 0:
        return int(text)
    try:
        return os.get_terminal_size(fd).columns or default
    except OSError:
        return default


def arrange(
    widths: list[int], line: int, *, across: bool = False, gap: int = 2
) -> tuple[list[list[int]], list[int]]:
    """Rows of indices of cells, and the width of each column, with as many columns as fit in `line`.

    widths: of the cells; line: columns of the terminal, 0: no limit.
    across: fill rows first (ls -x), else columns (ls -C).
    """
    count = len(widths)
    narrowest = min(widths, default=0) + gap
    most = count if not line else max(1, min(count, (line + gap) // max(narrowest, 1)))
    for columns in range(most, 0, -1):
        rows = -(-count // columns)
        if not across and columns > 1 and -(-count // rows) < columns:
            continue  # the last column would stay empty
        if across:
            spans = [max(widths[c::columns]) for c in range(columns)]
        else:
            spans = [max(widths[c : c + rows]) for c in range(0, count, rows)]
        total = sum(spans) + gap * (len(spans) - 1)
        if not line or total < line or columns == 1:
            table = [
                list(range(r * columns, min((r + 1) * columns, count)))
                if across
                else list(range(r, count, rows))
                for r in range(rows)
            ]
            return table, [span + gap for span in spans[:-1]] + spans[-1:]
    return [], []


def pad(column: int, target: int, tab: int) -> str:
    """White space from one screen column to another; with tabs every `tab` columns (0: only spaces)."""
    return "".join(_pieces(column, target, tab))


def _pieces(column: int, target: int, tab: int) -> Iterator[str]:
    while column < target:
        if tab and target // tab > (column + 1) // tab:
            yield "\t"
            column += tab - column % tab
        else:
            yield " "
            column += 1
