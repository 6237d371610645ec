"""modprobe's configuration: modprobe.d(5), and `module.parameter=value` on the kernel's command line."""

from __future__ import annotations

import os

from toolbox.kmod import normal

#: A file in an earlier folder takes the place of one with the same name in a later one.
FOLDERS = (
    "etc/modprobe.d",
    "run/modprobe.d",
    "usr/local/lib/modprobe.d",
    "usr/lib/modprobe.d",
    "lib/modprobe.d",
)


class Configuration:
    """aliases: (pattern, name); options, install, remove: text by name; softdeps: (before, after) by name."""

    def __init__(self) -> None:
        self.aliases: list[tuple[str, str]] = []
        self.options: dict[str, list[str]] = {}
        self.install: dict[str, str] = {}
        self.remove: dict[str, str] = {}
        self.blacklist: set[str] = set()
        self.softdeps: dict[str, tuple[list[str], list[str]]] = {}
        self.lines: list[str] = []

    def read(self, base: str = "/", only: str = "") -> None:
        """Read the files below `base`, or only this file or folder."""
        if only and not os.path.isdir(only):
            paths = [only]
        else:
            found: dict[str, str] = {}
            for folder in [only] if only else [os.path.join(base, one) for one in FOLDERS]:
                try:
                    names = os.listdir(folder)
                except OSError:
                    continue
                for name in names:
                    if name.endswith(".conf"):
                        found.setdefault(name, os.path.join(folder, name))
            paths = [found[name] for name in sorted(found)]
        for path in paths:
            with open(path, "rb") as file:
                self.parse(os.fsdecode(file.read()))

    def parse(self, text: str) -> None:
        """Take the lines of a file; what is not understood is passed over."""
        for line in text.replace("\\\n", " ").splitlines():
            words = line.split()
            if len(words) < 2 or words[0].startswith("#"):
                continue
            command, name = words[0], normal(words[1])
            rest = " ".join(words[2:])
            if command == "alias" and len(words) >= 3:
                self.aliases.append((words[1], normal(words[2])))
            elif command == "options":
                self.options.setdefault(name, []).append(rest)
            elif command in ("install", "remove") and rest:
                (self.install if command == "install" else self.remove)[name] = rest
            elif command == "blacklist":
                self.blacklist.add(name)
            elif command == "softdep":
                self.softdeps[name] = softdep(words[2:])
            else:
                continue
            self.lines.append(" ".join(words))

    def parse_command_line(self, text: str) -> None:
        """Take `module.parameter=value` and `modprobe.blacklist=a,b` from the kernel's command line."""
        for word in text.split():
            name, _, value = word.partition("=")
            if name in ("modprobe.blacklist", "module_blacklist"):
                self.blacklist |= {normal(one) for one in value.split(",") if one}
                continue
            module, dot, parameter = name.partition(".")
            if dot and parameter and module:
                option = parameter + word[len(name) :]
                self.options.setdefault(normal(module), []).append(option)


def softdep(words: list[str]) -> tuple[list[str], list[str]]:
    """`pre: a b post: c` -> (["a", "b"], ["c"]).  Words without one of these in front mean nothing."""
    found: dict[str, list[str]] = {"pre:": [], "post:": [], "": []}
    into = ""
    for word in words:
        if word in found:
            into = word
        else:
            found[into].append(normal(word))
    return found["pre:"], found["post:"]
