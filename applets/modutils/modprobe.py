"""modprobe [-bfinqv] [-C FILE] [-d FOLDER] [-S RELEASE] MODULE [PARAMETER]...
modprobe -a [-bfinqv] MODULE...
modprobe -r [-nqv] MODULE...
modprobe -D MODULE
modprobe -R MODULE
modprobe -c

Load a module with all that it needs, or take it out with what it needed.

  -a, --all              several modules
  -r, --remove           take out
  -D, --show-depends     show what would be loaded
  -R, --resolve-alias    show which modules an alias means
  -c, --showconfig       show the configuration
  -n, --dry-run, --show  do all but load
  -b, --use-blacklist    leave blacklisted ones out even when they are named
  -i, --ignore-install, --ignore-remove  without the configuration's commands
  -f, --force            whatever kernel it was built for
      --first-time       fail when it is loaded already, or not loaded
  -C, --config=FILE      configuration instead of /etc/modprobe.d
  -d, --dirname=FOLDER   modules are in FOLDER/lib/modules
  -S, --set-version=RELEASE  of this kernel instead of the running one
  -q, --quiet            say nothing when there is no such module
  -s, --syslog           nothing
  -v, --verbose          say what is done

MODULE may be an alias, a pattern's match (pci:v00001AF4d00001000...), or symbol:NAME.
"""

from __future__ import annotations

import errno
import os

from toolbox.errors import Fatal, UsageError, warn
from toolbox.kmod import folder_of, module_name, normal
from toolbox.kmod.configuration import Configuration, softdep
from toolbox.kmod.index import Index
from toolbox.kmod.loading import count, insert, is_loaded, reason, users
from toolbox.linux import modules
from toolbox.options import Options, Values
from toolbox.streams import stdout

alters_process = True
options = Options(__doc__)


def main(argv: list[str]) -> int:
    opt, words = options.parse(argv)
    configuration = Configuration()
    configuration.read(opt.dirname or "/", opt.config or "")
    if opt.showconfig:
        stdout().write(os.fsencode("".join(f"{line}\n" for line in configuration.lines)))
        return 0
    if not words:
        raise UsageError("missing parameters. See -h.")
    if not opt.dirname:
        try:
            with open("/proc/cmdline", "rb") as file:
                configuration.parse_command_line(os.fsdecode(file.read()))
        except OSError:
            pass  # without /proc there is nothing to take from it
    index = Index(folder_of(opt.dirname or "", opt.set_version or ""))
    if not index.load() and os.path.isdir(index.folder):
        index.scan(lambda text: None)  # nobody has run depmod
    probe = _Probe(opt, configuration, index)
    if opt.remove:
        for name in words:
            probe.remove(name)
    elif opt.all:
        for name in words:
            probe.load(name, "")
    else:
        probe.load(words[0], " ".join(words[1:]))
    return 1 if probe.failed else 0


class _Probe:
    """One run: what is known, what was done."""

    def __init__(self, opt: Values, configuration: Configuration, index: Index) -> None:
        self.opt = opt
        self.configuration = configuration
        self.index = index
        self.failed = False
        self.done: set[str] = set()
        self.softdeps: dict[str, tuple[list[str], list[str]]] = {}
        for name, text in index.softdeps:
            # A module may have several.
            before, after = self.softdeps.setdefault(name, ([], []))
            more_before, more_after = softdep(text.split())
            before += more_before
            after += more_after
        self.softdeps |= configuration.softdeps
        self.builtin = index.builtin()

    # -- names ------------------------------------------------------------------------------------

    def resolve(self, given: str) -> list[str]:
        """The modules that a name means; none when it means nothing, or only what is blacklisted."""
        name = normal(given)
        found = self._by_alias(self.configuration.aliases, given)
        if not found and (name in self.index.paths or name in self.builtin):
            if self.opt.use_blacklist and name in self.configuration.blacklist:
                return []
            return [name]
        if not found and name in self.configuration.install:
            return [name]
        if not found and given.startswith("symbol:"):
            if not self.index.symbols:
                self.index.load_symbols()
            wanted = given.removeprefix("symbol:")
            found = [module for symbol, module in self.index.symbols if symbol == wanted]
        if not found:
            if not self.index.aliases:
                self.index.load_aliases()
            found = self._by_alias(self.index.aliases, given)
            found = found or self._by_alias(self.index.builtin_aliases(), given)
        found = list(dict.fromkeys(found))
        return [one for one in found if one not in self.configuration.blacklist]

    @staticmethod
    def _by_alias(aliases: list[tuple[str, str]], given: str) -> list[str]:
        from fnmatch import fnmatchcase

        name = normal(given)
        return [
            module
            for pattern, module in aliases
            if pattern == given or fnmatchcase(name, normal(pattern))
        ]

    def _missing(self, name: str) -> None:
        self.failed = True
        if not self.opt.quiet:
            warn(f"FATAL: Module {name} not found in directory {self.index.folder}")

    # -- loading ----------------------------------------------------------------------------------

    def load(self, given: str, parameters: str) -> None:
        """Load what a name means."""
        found = self.resolve(given)
        if not found:
            if normal(given) in self.configuration.blacklist:
                return
            self._missing(given)
            return
        if self.opt.resolve_alias:
            stdout().write(os.fsencode("".join(f"{name}\n" for name in found)))
            return
        for name in found:
            self._load(name, parameters, named=True)

    def _load(self, name: str, parameters: str, *, named: bool = False) -> None:
        """Load a module after what it needs, and after that what goes with it."""
        if name in self.done:
            return
        self.done.add(name)
        showing = self.opt.show_depends
        if name in self.builtin and name not in self.index.paths:
            if showing:
                stdout().write(os.fsencode(f"builtin {name}\n"))
            elif self.opt.first_time:
                raise Fatal(f"ERROR: could not insert '{name}': Module already in kernel")
            return
        if not showing and is_loaded(name):
            if named and self.opt.first_time:
                raise Fatal(f"ERROR: could not insert '{name}': Module already in kernel")
            return
        before, after = self.softdeps.get(name, ([], []))
        for one in reversed(self.index.needs.get(name, [])):
            self._load(one, "")
        for one in before:
            self._load_soft(one)
        self._insert(name, parameters)
        for one in after:
            self._load_soft(one)

    def _load_soft(self, given: str) -> None:
        """A soft dependency may be missing."""
        for name in self.resolve(given):
            self._load(name, "")

    def _insert(self, name: str, parameters: str) -> None:
        words = [*self.configuration.options.get(name, []), *([parameters] if parameters else [])]
        text = " ".join(words)
        command = self.configuration.install.get(name)
        if command is not None and not self.opt.ignore_install:
            self._run(command.replace("$CMDLINE_OPTS", parameters), "install")
            return
        path = self.index.full_path(name)
        if self.opt.show_depends or self.opt.verbose:
            stdout().write(os.fsencode(f"insmod {path} {text}\n"))
        if self.opt.show_depends or self.opt.dry_run:
            return
        try:
            insert(path, text, force=self.opt.force)
        except OSError as error:
            if error.errno == errno.EEXIST and not self.opt.first_time:
                return  # somebody else was faster
            self.failed = True
            raise Fatal(f"ERROR: could not insert '{name}': {reason(error)}") from None

    def _run(self, command: str, what: str) -> None:
        if self.opt.show_depends or self.opt.verbose:
            stdout().write(os.fsencode(f"{what} {command}\n"))
        if self.opt.show_depends or self.opt.dry_run:
            return
        from toolbox.spawn import spawn, wait

        stdout().flush()
        if wait(spawn(["sh", "-c", command])):
            raise Fatal(f"ERROR: Error running {what} command '{command}'")

    # -- removing ---------------------------------------------------------------------------------

    def remove(self, given: str) -> None:
        """Take out what a name means, then what it alone needed."""
        found = self.resolve(given) or (
            [module_name(given)] if is_loaded(module_name(given)) else []
        )
        if not found:
            self._missing(given)
            return
        for name in found:
            self._remove(name, named=True)

    def _remove(self, name: str, *, named: bool = False) -> None:
        command = self.configuration.remove.get(name)
        if command is not None and not self.opt.ignore_install:
            self._run(command, "remove")
            return
        if not os.path.exists(f"/sys/module/{name}/initstate"):
            if named and name in self.builtin:
                raise Fatal(f"FATAL: Module {name} is builtin.")
            if named and self.opt.first_time:
                raise Fatal(f"FATAL: Module {name} is not in kernel.")
            return
        before, after = self.softdeps.get(name, ([], []))
        for one in reversed(after):
            self._remove(one)
        if users(name) or count(name):
            if named:
                raise Fatal(f"FATAL: Module {name} is in use.")
            return
        if self.opt.verbose:
            stdout().write(os.fsencode(f"rmmod {name}\n"))
        if not self.opt.dry_run:
            try:
                modules.unload(name, force=self.opt.force)
            except OSError as error:
                raise Fatal(f"ERROR: could not remove '{name}': {error.strerror}") from None
        for one in self.index.needs.get(name, []):
            self._remove(one)
        for one in reversed(before):
            self._remove(one)
