"""What a part of the benchmark has found: rows of numbers, as text and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

Value = str | int | float | None


@dataclass
class Table:
    """title: what is measured, in which units.

    rows: column -> value, None where nothing could be measured.  All columns are in the first row.
    """

    title: str
    rows: list[dict[str, Value]] = field(default_factory=list)

    def add(self, **values: Value) -> None:
        """Append a row; `_` in a column's name stands for a space."""
        self.rows.append({name.replace("_", " "): value for name, value in values.items()})

    def compare(self, column: str, group: str, base: str, prefix: str = "") -> None:
        """Add a column `x BASE` to each row: its value over that of its group's row whose program is `base`."""
        bases = {row[group]: row[column] for row in self.rows if row["program"] == base}
        for row in self.rows:
            mine, other = row[column], bases.get(row[group])
            known = isinstance(mine, int | float) and isinstance(other, int | float) and other
            row[f"{prefix}x {base}"] = mine / other if known else None  # type: ignore[operator]

    def text(self) -> str:
        """Columns side by side, words to the left and numbers to the right."""
        names = list(self.rows[0]) if self.rows else []
        lines = [names, *([shown(row.get(name)) for name in names] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        words = {i for i, name in enumerate(names) if isinstance(self.rows[0][name], str)}
        shaped = [
            "  ".join(
                cell.ljust(width) if i in words else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, *(f"  {line}" for line in shaped)])


def shown(value: Value) -> str:
    """A cell's text: two digits after the point, thousands apart."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else value


def middle(values: Iterable[float]) -> float | None:
    """The median, None of nothing."""
    found = list(values)
    return statistics.median(found) if found else None


def least(values: Iterable[float]) -> float | None:
    """The minimum, None of nothing."""
    return min(values, default=None)
