"""modprobe.d(5): aliases, options, blacklist, commands and soft dependencies that the administrator sets.

    config = ModprobeConfig.read()              # the usual folders and the kernel's command line
    config.options["snd_hda_intel"] -> ["power_save=1"]

Names are normalized (`-` is `_`).  A line that says nothing known is left out and told to `report`.
"""

from __future__ import annotations

import os

from toolbox.files import read_file
from toolbox.linux.module_file import normalize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Where the files are; one in an earlier folder hides one of the same name in a later.
FOLDERS = (
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
)


class ModprobeConfig:
    """What the files say, in the order of the files."""

    def __init__(self) -> None:
        self.aliases: list[tuple[str, str]] = []
        self.options: dict[str, list[str]] = {}
        self.blacklist: dict[str, None] = {}
        self.install: dict[str, str] = {}
        self.remove: dict[str, str] = {}
        #: (modules before, modules after)
        self.soft: dict[str, tuple[list[str], list[str]]] = {}

    @classmethod
    def read(
        cls,
        paths: Iterable[str] = (),
        *,
        command_line: str = "/proc/cmdline",
        report: Callable[[str], None] = lambda text: None,
    ) -> ModprobeConfig:
        """The configuration in `paths` (files or folders; none: FOLDERS).  OSError for a path that is given."""
        config = cls()
        for path in configuration_files(paths):
            text = (read_file(path) or b"").decode("utf-8", "surrogateescape")
            for number, line in _joined(text):
                if not config.take(line):
                    report(
                        f"{path} line {number}: ignoring bad line starting with '{line.split()[0]}'"
                    )
        try:
            boot = (read_file(command_line) or b"").decode("utf-8", "surrogateescape")
        except OSError:
            boot = ""
        config.take_command_line(boot)
        return config

    def take(self, line: str) -> bool:
        """Obey one line; False when it says nothing known."""
        words = line.split()
        if len(words) < 2:
            return False
        verb, name, rest = words[0], words[1], words[2:]
        key = normalize(name)
        if verb == "alias" and rest:
            self.aliases.append((key, normalize(rest[0])))
        elif verb == "options" and rest:
            self.options.setdefault(key, []).append(line.split(None, 2)[2])
        elif verb == "blacklist":
            self.blacklist[key] = None
        elif verb in ("install", "remove") and rest:
            (self.install if verb == "install" else self.remove)[key] = line.split(None, 2)[2]
        elif verb == "softdep":
            self.add_soft(key, rest)
        else:
            return False
        return True

    def add_soft(self, name: str, words: list[str]) -> None:
        """`pre: A B post: C`; what stands before either word means nothing."""
        before, after = self.soft.setdefault(name, ([], []))
        target: list[str] = []
        for word in words:
            if word in ("pre:", "post:"):
                target = before if word == "pre:" else after
            else:
                target.append(word)

    def take_command_line(self, text: str) -> None:
        """MODULE.NAME=VALUE and modprobe.blacklist=A,B of the kernel's command line (up to its `--`)."""
        for word in _words(text):
            if word == "--":
                return
            module, dot, setting = word.partition(".")
            if not dot or "=" in module or '"' in module:
                continue
            if module == "modprobe" and setting.startswith("blacklist="):
                names = setting[10:].split(",")
                self.blacklist.update((normalize(name), None) for name in names if name)
            elif module != "modprobe":
                self.options.setdefault(normalize(module), []).append(setting)

    def lines(self) -> Iterator[str]:
        """All of it in the form of the files (modprobe -c)."""
        for name in self.blacklist:
            yield f"blacklist {name}"
        for verb, table in (("install", self.install), ("remove", self.remove)):
            for name, command in table.items():
                yield f"{verb} {name} {command}"
        for pattern, name in self.aliases:
            yield f"alias {pattern} {name}"
        for name, settings in self.options.items():
            for setting in settings:
                yield f"options {name} {setting}"
        for name, (before, after) in self.soft.items():
            parts = ["pre:", *before] if before else []
            parts += ["post:", *after] if after else []
            yield " ".join(["softdep", name, *parts])


def configuration_files(paths: Iterable[str]) -> list[str]:
    """The files to be read, in order: those of the folders by their names, each name once."""
    given = list(paths)
    found: dict[str, str] = {}
    files = []
    for path in given or FOLDERS:
        try:
            names = sorted(os.listdir(path))
        except NotADirectoryError:
            files.append(path)
            continue
        except FileNotFoundError:
            if given:
                raise
            continue
        for name in names:
            if name.endswith(".conf"):
                found.setdefault(name, os.path.join(path, name))
    return files + [found[name] for name in sorted(found)]


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """(number, line) without comments and empty lines; a backslash at the end joins the next one."""
    held = ""
    first = 0
    for number, line in enumerate(text.split("\n"), 1):
        first = first if held else number
        held += line.rstrip("\r")
        if held.endswith("\\"):
            held = held[:-1] + " "
            continue
        line, held = held.strip(), ""
        if line and not line.startswith("#"):
            yield first, line
    if held.strip() and not held.strip().startswith("#"):
        yield first, held.strip()


def _words(text: str) -> Iterator[str]:
    """The words of the kernel's command line; double quotes keep blanks, and stay."""
    word, quoted = "", False
    for c in text:
        if c == '"':
            quoted = not quoted
        if c.isspace() and not quoted:
            if word:
                yield word
            word = ""
        else:
            word += c
    if word:
        yield word
