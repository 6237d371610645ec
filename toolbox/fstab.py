"""The table of file systems to mount: fstab(5)."""

from __future__ import annotations

import os

PATH = "/etc/fstab"


class Entry:
    """A line: what (`source`), where (`target`), as what (`kind`), how (`options`), fsck's `order`."""

    __slots__ = ("kind", "options", "order", "source", "target")

    def __init__(self, words: list[str]) -> None:
        self.source, self.target, self.kind = words[:3]
        self.options = [w for w in (words[3] if len(words) > 3 else "defaults").split(",") if w]
        self.order = int(words[5]) if len(words) > 5 and words[5].isdecimal() else 0


def read(path: str = PATH) -> list[Entry]:
    """The entries of the file at `path`, in order; none when there is no such file.  OSError else."""
    try:
        with open(path, "rb") as file:
            text = os.fsdecode(file.read())
    except FileNotFoundError:
        return []
    return parse(text)


def parse(text: str) -> list[Entry]:
    """The entries in a text; a line with less than three fields is passed over, as mount(8) does."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and not words[0].startswith("#"):
            found.append(Entry([_unescape(word) for word in words]))
    return found


def _unescape(word: str) -> str:
    """Blanks are written as \\040, tabs as \\011, a backslash as \\134."""
    head, *parts = word.split("\\")
    text = head
    for part in parts:
        digits = part[:3]
        octal = len(digits) == 3 and all(c in "01234567" for c in digits)
        text += chr(int(digits, 8)) + part[3:] if octal else "\\" + part
    return text
