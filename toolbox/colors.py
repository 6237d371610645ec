"""Colors of file names: $LS_COLORS as dircolors(1) writes it, with GNU ls's defaults."""

from __future__ import annotations

import os
import stat

_DEFAULTS = {
    "di": "01;34",
    "ln": "01;36",
    "pi": "33",
    "so": "01;35",
    "do": "01;35",
    "bd": "01;33",
    "cd": "01;33",
    "or": "",
    "ex": "01;32",
    "su": "37;41",
    "sg": "30;43",
    "st": "37;44",
    "ow": "34;42",
    "tw": "30;42",
    "rs": "0",
    "fi": "",
    "no": "",
    "mh": "",
}

_BY_KIND = {
    stat.S_IFLNK: "ln",
    stat.S_IFIFO: "pi",
    stat.S_IFSOCK: "so",
    stat.S_IFBLK: "bd",
    stat.S_IFCHR: "cd",
}


class FileColors:
    """Colors by type and by suffix; `text` is the value of $LS_COLORS."""

    def __init__(self, text: str) -> None:
        self.by_type = dict(_DEFAULTS)
        self.by_suffix: list[tuple[str, str]] = []
        for field in text.split(":"):
            key, equals, value = field.partition("=")
            if not equals:
                continue
            if key.startswith("*"):
                self.by_suffix.insert(0, (key[1:], value))
            else:
                self.by_type[key] = value
        self.started = False

    def paint(self, shown: str, name: str, path: str, mode: int, links: int) -> str:
        """The text `shown` for the file `name` between escape sequences, or as it is without a color.

        `mode` and `links` are of the file's status; mode 0: it could not be had.
        """
        color = self.color(name, path, mode, links)
        if color in ("", "0", "00"):
            return shown
        reset = self.by_type["rs"]
        # GNU ls begins its first color with a reset, lest it adds to what the terminal has.
        start = "" if self.started else f"\x1b[{reset}m"
        self.started = True
        return f"{start}\x1b[{color}m{shown}\x1b[{reset}m"

    def color(self, name: str, path: str, mode: int, links: int) -> str:
        """The parameters of the escape sequence; empty for none."""
        by_type = self.by_type
        if not mode:
            return by_type.get("mi") or by_type["or"]
        kind = stat.S_IFMT(mode)
        if kind == stat.S_IFLNK:
            return self._link(path)
        if kind in _BY_KIND:
            return by_type[_BY_KIND[kind]]
        if kind == stat.S_IFDIR:
            writable, sticky = mode & stat.S_IWOTH, mode & stat.S_ISVTX
            which = "tw" if writable and sticky else "ow" if writable else "st" if sticky else "di"
            return by_type[which] or by_type["di"]
        for bits, which in (
            (stat.S_ISUID, "su"),
            (stat.S_ISGID, "sg"),
            (0o111, "ex"),
        ):
            if mode & bits and by_type[which]:
                return by_type[which]
        if links > 1 and by_type["mh"]:
            return by_type["mh"]
        for suffix, color in self.by_suffix:
            if name.endswith(suffix):
                return color
        return by_type["fi"]

    def _link(self, path: str) -> str:
        color = self.by_type["ln"]
        orphan = self.by_type["or"]
        if color != "target" and not orphan:
            return color
        try:
            target = os.stat(path)
        except OSError:
            return orphan or ("" if color == "target" else color)
        if color != "target":
            return color
        return self.color(os.path.realpath(path), path, target.st_mode, target.st_nlink)
