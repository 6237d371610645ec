"""modules.dep, modules.alias, modules.symbols, modules.softdep, modules.devname: made and read (modules.dep(5))."""

from __future__ import annotations

import os

from toolbox.kmod import SUFFIXES, module_name, normal, read_module
from toolbox.kmod.elf import Information

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Index:
    """What is known of a kernel's modules.

    paths: file below the folder, by name      needs: all that must be loaded before, the last first
    aliases: (pattern, name)                   symbols: (name of the symbol, module)
    softdeps: (name, text)                     devices: (module, file in /dev, "c10:229")
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.paths: dict[str, str] = {}
        self.needs: dict[str, list[str]] = {}
        self.aliases: list[tuple[str, str]] = []
        self.symbols: list[tuple[str, str]] = []
        self.softdeps: list[tuple[str, str]] = []
        self.devices: list[tuple[str, str, str]] = []

    # -- made -------------------------------------------------------------------------------------

    def scan(self, warn: Callable[[str], None]) -> None:
        """Read all modules below the folder.  OSError, Fatal; `warn` is told of what is missing."""
        direct: dict[str, list[str]] = {}
        for path in _files(self.folder):
            name = module_name(path)
            if name in self.paths:
                continue  # updates/ comes first and wins
            full = os.path.join(self.folder, path)
            found = Information(read_module(full), full)
            self.paths[name] = path
            direct[name] = [normal(one) for one in found.depends]
            self.symbols += [(symbol, name) for symbol in found.symbols]
            self._take_aliases(name, found.values.get("alias", []))
            self.softdeps += [(name, text) for text in found.values.get("softdep", [])]
        for name, needed in direct.items():
            for one in needed:
                if one not in self.paths:
                    warn(f"{name} needs {one}, which is not there")
            self.needs[name] = self._ordered(name, direct, warn)

    def _take_aliases(self, name: str, aliases: list[str]) -> None:
        device = number = ""
        for alias in aliases:
            if alias.startswith("devname:"):
                device = alias.removeprefix("devname:")
            elif alias.startswith(("char-major-", "block-major-")):
                kind, _, digits = alias.partition("-major-")
                major, _, minor = digits.partition("-")
                if minor.isdecimal():
                    number = f"{kind[0]}{major}:{minor}"
            self.aliases.append((alias, name))
        if device and number:
            self.devices.append((name, device, number))

    def _ordered(
        self, name: str, direct: dict[str, list[str]], warn: Callable[[str], None]
    ) -> list[str]:
        """All that a module needs; each stands before what it needs itself."""
        done: list[str] = []
        state: dict[str, int] = {}
        stack = [(name, iter(direct.get(name, ())))]
        state[name] = 1
        while stack:
            at, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                state[at] = 2
                done.append(at)
            elif following not in direct:
                continue
            elif state.get(following) == 1:
                warn(f"{following} and {at} need each other")
            elif following not in state:
                state[following] = 1
                stack.append((following, iter(direct[following])))
        return done[-2::-1]

    def write(self) -> dict[str, str]:
        """The texts of the index's files, by name."""
        lines = []
        for name, path in self.paths.items():
            needed = [self.paths[one] for one in self.needs[name]]
            lines.append(f"{path}: {' '.join(needed)}".rstrip() if needed else f"{path}:")
        return {
            "modules.dep": _text("", lines),
            "modules.alias": _text(
                "# Aliases extracted from modules themselves.",
                [f"alias {alias} {name}" for alias, name in self.aliases],
            ),
            "modules.symbols": _text(
                "# Aliases for symbols, used by symbol_request().",
                [f"alias symbol:{symbol} {name}" for symbol, name in self.symbols],
            ),
            "modules.softdep": _text(
                "# Soft dependencies extracted from modules themselves.",
                [f"softdep {name} {text}" for name, text in self.softdeps],
            ),
            "modules.devname": _text(
                "# Device nodes to trigger on-demand module loading.",
                [" ".join(row) for row in self.devices],
            ),
        }

    # -- read -------------------------------------------------------------------------------------

    def load(self) -> bool:
        """Read what depmod has written; False when it has not."""
        text = _read(os.path.join(self.folder, "modules.dep"))
        if text is None:
            return False
        for line in text.splitlines():
            path, colon, rest = line.partition(":")
            if colon and not line.startswith("#"):
                name = module_name(path)
                self.paths[name] = path
                self.needs[name] = [module_name(one) for one in rest.split()]
        for words in self._rows("modules.softdep"):
            if words[0] == "softdep" and len(words) >= 3:
                self.softdeps.append((normal(words[1]), " ".join(words[2:])))
        return True

    def load_aliases(self) -> None:
        """Read the aliases, which only a name that is no module's needs."""
        for words in self._rows("modules.alias"):
            if words[0] == "alias" and len(words) == 3:
                self.aliases.append((words[1], normal(words[2])))

    def load_symbols(self) -> None:
        """Read which module exports which symbol."""
        for words in self._rows("modules.symbols"):
            if words[0] == "alias" and len(words) == 3:
                self.symbols.append((words[1].removeprefix("symbol:"), normal(words[2])))

    def builtin(self) -> set[str]:
        """Names of the modules that are part of the kernel image."""
        text = _read(os.path.join(self.folder, "modules.builtin")) or ""
        return {module_name(line.strip()) for line in text.splitlines() if line.strip()}

    def builtin_aliases(self) -> list[tuple[str, str]]:
        """(pattern, name) of what is part of the kernel image (modules.builtin.modinfo)."""
        text = _read(os.path.join(self.folder, "modules.builtin.modinfo")) or ""
        found = []
        for entry in text.split("\0"):
            name, dot, rest = entry.partition(".")
            if dot and rest.startswith("alias="):
                found.append((rest.removeprefix("alias="), normal(name)))
        return found

    def full_path(self, name: str) -> str:
        """The file of a module."""
        return os.path.join(self.folder, self.paths[name])

    def _rows(self, name: str) -> list[list[str]]:
        text = _read(os.path.join(self.folder, name)) or ""
        return [line.split() for line in text.splitlines() if line.strip() and line[0] != "#"]


def _text(head: str, lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in ([head] if head else []) + lines)


def _read(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read())
    except FileNotFoundError:
        return None


def _files(folder: str) -> list[str]:
    """The modules' files below a folder: those of updates/ first, then as modules.order says, then the rest."""
    found = []
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if one not in ("build", "source"))
        for name in sorted(names):
            if name.endswith(SUFFIXES):
                found.append(os.path.relpath(os.path.join(top, name), folder))
    order = {
        # The file lists what was built, not how it was compressed since.
        path.partition(".ko")[0]: at
        for at, path in enumerate((_read(os.path.join(folder, "modules.order")) or "").split())
    }
    last = len(order)
    return sorted(
        found,
        key=lambda path: (
            not path.startswith("updates/"),
            order.get(path.partition(".ko")[0], last),
        ),
    )
