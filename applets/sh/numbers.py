"""Numbers as scripts write them: decimal digits, and no more than the system can count."""

from __future__ import annotations

#: C's int, in which the system counts descriptors, processes, statuses and signals.
MOST = (1 << 31) - 1


def decimal(text: str) -> int | None:
    """The value of ASCII digits up to MOST; None for anything else."""
    if text.isascii() and text.isdecimal():
        digits = text.lstrip("0") or "0"
        if len(digits) < 11 and int(digits) <= MOST:
            return int(digits)
    return None
