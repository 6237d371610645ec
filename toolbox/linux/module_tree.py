"""A kernel's modules and how they depend on each other: modules.dep(5) and its companions.

    tree = ModuleTree("/lib/modules/6.1.0")
    tree.path("virtio_net"), tree.dependencies("virtio_net"), tree.by_alias("pci:v00001AF4...")

What depmod has written is read where it is there.  A tree without modules.dep (a small image that
holds just a few modules) is read module by module.
"""

from __future__ import annotations

import os

from toolbox.linux.module_file import (
    ModuleFile,
    ModuleFormatError,
    is_module_file,
    module_name,
    normalize,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class ModuleTree:
    """One folder of /lib/modules.  Files are read when they are first needed."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._dependencies: dict[str, tuple[str, list[str]]] | None = None
        self._scanned: list[ModuleFile] | None = None
        self._builtin: set[str] | None = None
        self._problems: list[OSError] = []

    def path(self, name: str) -> str | None:
        """The file of a module; None when the tree has none of that name."""
        entry = self._table().get(normalize(name))
        return os.path.join(self.folder, entry[0]) if entry else None

    def dependencies(self, name: str) -> list[str]:
        """The names of all modules that `name` needs, the one to be loaded first coming first."""
        _, paths = self._table().get(normalize(name), ("", []))
        return [module_name(path) for path in reversed(paths)]

    def builtin(self, name: str) -> bool:
        """Whether the module is a part of the kernel image."""
        if self._builtin is None:
            self._builtin = {module_name(line) for line in self._lines("modules.builtin")}
        return normalize(name) in self._builtin

    def by_alias(self, alias: str) -> list[str]:
        """The modules one of whose aliases' patterns fits `alias`, in the order of modules.alias."""
        file = "modules.symbols" if alias.startswith("symbol:") else "modules.alias"
        pairs = [tuple(normalize(line).split()[1:3]) for line in self._written(file)]
        found = matching(normalize(alias), pairs)
        return found or self._builtin_by_alias(alias)

    def soft_dependencies(self) -> list[str]:
        """The lines of modules.softdep."""
        return self._written("modules.softdep")

    def unreadable(self, name: str) -> OSError | None:
        """Why the module `name` is not known although its file is there, in a tree without modules.dep."""
        for problem in self._problems:
            if module_name(str(problem.filename)) == normalize(name):
                return problem
        return None

    def alias_lines(self) -> list[str]:
        """The lines of modules.alias."""
        return self._written("modules.alias")

    def _builtin_by_alias(self, alias: str) -> list[str]:
        try:
            with open(os.path.join(self.folder, "modules.builtin.modinfo"), "rb") as file:
                entries = file.read().split(b"\0")
        except OSError:
            return []
        pairs = []
        for entry in entries:
            name, _, value = os.fsdecode(entry).partition(".")
            if value.startswith("alias="):
                pairs.append((normalize(value[6:]), name))
        return matching(normalize(alias), pairs)

    def _table(self) -> dict[str, tuple[str, list[str]]]:
        """Name -> (file, files that it needs, the one to be loaded first coming last), relative paths."""
        if self._dependencies is None:
            found: dict[str, tuple[str, list[str]]] = {}
            for line in self._written("modules.dep"):
                file, colon, needed = line.partition(":")
                if colon:
                    found[module_name(file)] = (file, needed.split())
            self._dependencies = found
        return self._dependencies

    def _written(self, file: str) -> list[str]:
        """The lines of a file that depmod makes, or those that it would make."""
        if self._scanned is None and os.path.exists(os.path.join(self.folder, "modules.dep")):
            return self._lines(file)
        if self._scanned is None:
            self._scanned = scan(self.folder, self._problems.append)
        return [line for line in render(self.folder, self._scanned)[file] if line[:1] != "#"]

    def _lines(self, file: str) -> list[str]:
        try:
            with open(os.path.join(self.folder, file), encoding="utf-8", errors="replace") as text:
                return [line.strip() for line in text if line.strip() and line[0] != "#"]
        except FileNotFoundError:
            return []


def matching(name: str, pairs: Iterable[tuple[str, ...]]) -> list[str]:
    """The second word of each pair whose first, a shell pattern, fits `name`; each only once."""
    import fnmatch

    found: dict[str, None] = {}
    for pair in pairs:
        # Most patterns differ from the name before their first wildcard: spare them the expression.
        if len(pair) == 2 and pair[0][:4].rstrip("*?[") == name[: len(pair[0][:4].rstrip("*?["))]:
            plain = not any(c in pair[0] for c in "*?[")
            if pair[0] == name if plain else fnmatch.fnmatchcase(name, pair[0]):
                found[pair[1]] = None
    return list(found)


# -- what depmod does --------------------------------------------------------------------------------


def scan(folder: str, report: Callable[[OSError], None]) -> list[ModuleFile]:
    """All modules of a tree, in the order of modules.order, then by path; what is none is reported."""
    files: dict[str, str] = {}
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in ("build", "source"))
        for name in sorted(names):
            path = os.path.join(where, name)
            # depmod.conf(5)'s default: what an administrator puts in updates/ goes before the rest.
            updated = os.path.relpath(path, folder).startswith("updates/")
            if is_module_file(name) and (updated or module_name(name) not in files):
                files[module_name(name)] = path
    found = []
    for path in sorted(files.values(), key=_by_order(folder)):
        try:
            found.append(ModuleFile(path))
        except OSError as error:
            report(error)
    return found


def _by_order(folder: str) -> Callable[[str], tuple[int, str]]:
    """A key for sorting: the line in modules.order, which has no compression's ending."""
    try:
        with open(os.path.join(folder, "modules.order"), encoding="utf-8") as file:
            places = {line.strip().partition(".ko")[0]: i for i, line in enumerate(file)}
    except (OSError, ValueError):
        places = {}

    def key(path: str) -> tuple[int, str]:
        relative = os.path.relpath(path, folder)
        return places.get(relative.partition(".ko")[0], len(places)), relative

    return key


class Graph:
    """Who needs whom, by the symbols that they give and take.  Modules are numbered in their order."""

    def __init__(self, modules: list[ModuleFile]) -> None:
        self.modules = modules
        self.unresolved: dict[int, list[bytes]] = {}
        owner = {symbol: i for i, module in enumerate(modules) for symbol in module.exports}
        self.needs: list[list[int]] = []
        for i, module in enumerate(modules):
            owners = (owner.get(symbol) for symbol in (*module.needs, *module.weak))
            self.needs.append(list(dict.fromkeys(o for o in owners if o is not None and o != i)))
            self.unresolved[i] = [symbol for symbol in module.needs if symbol not in owner]
        self._rank = self._topological()

    def _topological(self) -> list[int]:
        """The place of each: users before what they use.  ModuleFormatError for a circle."""
        users = [0] * len(self.modules)
        for needed in self.needs:
            for one in needed:
                users[one] += 1
        roots = [i for i, count in enumerate(users) if not count]
        rank = [-1] * len(self.modules)
        place = 0
        while roots:
            i = roots.pop()
            rank[i] = place
            place += 1
            for one in self.needs[i]:
                users[one] -= 1
                if not users[one]:
                    roots.append(one)
        if place < len(self.modules):
            circle = self.modules[rank.index(-1)]
            raise ModuleFormatError(circle.path, "it takes part in a circle of dependencies")
        return rank

    def all_needs(self, i: int) -> list[int]:
        """All that module `i` needs, directly or not; the one to be loaded first comes last."""
        found: set[int] = set()
        open_ones = list(self.needs[i])
        while open_ones:
            one = open_ones.pop()
            if one not in found:
                found.add(one)
                open_ones += self.needs[one]
        return sorted(found, key=self._rank.__getitem__)


def render(folder: str, modules: list[ModuleFile]) -> dict[str, list[str]]:
    """What depmod writes: file name -> lines.  ModuleFormatError for a circle of dependencies."""
    graph = Graph(modules)
    paths = [os.path.relpath(module.path, folder) for module in modules]
    dependencies = [
        " ".join([f"{path}:", *(paths[n] for n in graph.all_needs(i))])
        for i, path in enumerate(paths)
    ]
    aliases, soft, devices = [], [], []
    symbols: dict[bytes, str] = {}
    for module in modules:
        own = module.information("alias")
        aliases += [f"alias {alias} {module.name}" for alias in own]
        soft += [f"softdep {module.name} {line}" for line in module.information("softdep")]
        symbols.update((symbol, module.name) for symbol in module.exports)
        devices += _device(module.name, own)
    given = [f"alias symbol:{os.fsdecode(s)} {name}" for s, name in symbols.items()]
    return {
        "modules.dep": dependencies,
        "modules.alias": ["# Aliases extracted from modules themselves.", *aliases],
        "modules.softdep": ["# Soft dependencies extracted from modules themselves.", *soft],
        "modules.symbols": ["# Aliases for symbols, used by symbol_request().", *given],
        "modules.devname": ["# Device nodes to trigger on-demand module loading.", *devices],
    }


def _device(name: str, aliases: list[str]) -> list[str]:
    """The line of modules.devname for a module that has both a device number and a file's name."""
    node = number = ""
    for alias in aliases:
        if alias.startswith("devname:"):
            node = node or alias[8:]
        for start, kind in (("char-major-", "c"), ("block-major-", "b")):
            major, _, minor = alias[len(start) :].partition("-")
            if alias.startswith(start) and major.isdecimal() and minor.isdecimal():
                number = number or f"{kind}{major}:{minor}"
    return [f"{name} {node} {number}"] if node and number else []
