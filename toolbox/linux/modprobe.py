"""Putting modules in with all that they need, and taking them out again: what modprobe(8) does."""

from __future__ import annotations

import errno
import os

from toolbox.errors import warn
from toolbox.linux import kmod, modules
from toolbox.linux.module_file import normalize
from toolbox.linux.module_tree import matching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.linux.modprobe_conf import ModprobeConfig
    from toolbox.linux.module_tree import ModuleTree


class Prober:
    """One call of modprobe: its options as attributes, its messages by `warn`, its trace by `show`.

    depends: show all that is needed, whether it is in or not; failed: something did not succeed.
    """

    def __init__(
        self, tree: ModuleTree, config: ModprobeConfig, show: Callable[[str], object]
    ) -> None:
        self.tree = tree
        self.config = config
        self.show = show
        self.dry = self.verbose = self.depends = False
        self.commands = True
        self.blacklist_names = self.first_time = self.remove_holders = self.force = False
        self.flags = 0
        self.failed = False
        self._soft_read = False

    def lookup(self, name: str) -> list[str]:
        """The modules that a name or alias stands for; empty when there are none (or none is known)."""
        key = normalize(name)
        # The administrator's aliases go first, so that they can redirect a module's own name.
        if found := matching(key, self.config.aliases):
            return found
        if self.tree.path(key) or self.tree.builtin(key):
            return [key]
        if key in self.config.install or key in self.config.remove:
            return [key]
        return self.tree.by_alias(name)

    # -- in ---------------------------------------------------------------------------------------

    def put_in(self, module: str, asked: str, words: list[str]) -> None:
        """Put in a module that was `asked` for by its name or an alias, with parameters."""
        alias = normalize(asked) if normalize(asked) != module else ""
        if module in self.config.blacklist and (alias or self.blacklist_names):
            return
        if not self.depends and self._is_in(module):
            if self.first_time:
                self._fail(f"could not insert '{module}': Module already in kernel")
            return
        for name, required in self.sequence(module):
            target = name == module
            problem = self._put_in_one(name, alias if target else "", words if target else [])
            # What is only a soft dependency may be missing, or be for another processor.
            if problem and required:
                self._fail(problem)
                return

    def sequence(self, module: str) -> list[tuple[str, bool]]:
        """(module, whether it is needed) in the order of loading: dependencies, and soft ones around each."""
        self._read_soft()
        order: dict[str, bool] = {}
        self._add(module, True, order, set())
        return list(order.items())

    def _add(self, module: str, required: bool, order: dict[str, bool], seen: set[str]) -> None:
        if module in seen:
            return  # it stands in the list, or a circle of soft dependencies has come round
        seen.add(module)
        for needed in self.tree.dependencies(module):
            self._add(needed, required, order, seen)
        before, after = self.config.soft.get(module, ((), ()))
        for name in before:
            for found in self.lookup(name):
                self._add(found, False, order, seen)
        order[module] = required
        for name in after:
            for found in self.lookup(name):
                self._add(found, False, order, seen)

    def _put_in_one(self, name: str, alias: str, words: list[str]) -> str:
        """Put in one module, whose dependencies are in; what went wrong, "" for nothing."""
        if not self.depends and self._is_in(name):
            return ""
        settings = [
            *self.config.options.get(name, ()),
            *(self.config.options.get(alias, ()) if alias else ()),
        ]
        command = self.config.install.get(name) if self.commands else None
        if command is not None:
            # The settings of the configuration are the command's own affair, those of the user are not.
            return self._run("install", name, command, " ".join(words))
        path = self.tree.path(name)
        parameters = " ".join([*settings, *words])
        if path is None:
            if self.depends and self.tree.builtin(name):
                self.show(f"builtin {name}")
            return ""
        if self.verbose:
            self.show(f"insmod {path} {parameters}")
        if self.dry:
            return ""
        try:
            kmod.insert(path, parameters, self.flags)
        except FileExistsError:
            if self.first_time:
                return f"could not insert '{name}': Module already in kernel"
        except OSError as error:
            return f"could not insert '{name}': {kmod.meaning(error)}"
        return ""

    def _is_in(self, name: str) -> bool:
        return kmod.state(name) == "live" or self.tree.builtin(name)

    def _read_soft(self) -> None:
        """The soft dependencies that the modules themselves declare come after those of the configuration."""
        if not self._soft_read:
            self._soft_read = True
            for line in self.tree.soft_dependencies():
                words = line.split()
                if len(words) > 2 and words[0] == "softdep":
                    self.config.add_soft(normalize(words[1]), words[2:])

    # -- out --------------------------------------------------------------------------------------

    def take_out(self, module: str) -> None:
        """Take a module out, its soft dependencies and what nobody needs any more (modprobe -r)."""
        self._read_soft()
        if not self.dry:
            if kmod.state(module) is None:
                if self.tree.builtin(module):
                    self._fail(f"Module {module} is builtin.", "FATAL")
                elif self.first_time:
                    self._fail(f"Module {module} is not in kernel.", "FATAL")
                return
            if self.remove_holders:
                for user in kmod.holders(module):
                    self.take_out(user)
        before, after = self.config.soft.get(module, ((), ()))
        self._take_out_unused([m for name in after for m in self.lookup(name)])
        if not self._take_out_one(module):
            return
        self._take_out_unused(self.tree.dependencies(module)[::-1])
        self._take_out_unused([m for name in before for m in self.lookup(name)])

    def _take_out_unused(self, names: list[str]) -> None:
        for name in names:
            if kmod.state(name) == "live" and not kmod.references(name) and not kmod.holders(name):
                self._take_out_one(name)

    def _take_out_one(self, name: str) -> bool:
        if not self.dry and kmod.state(name) is None:
            return True  # it has gone with one that needed it
        command = self.config.remove.get(name) if self.commands else None
        if command is not None:
            problem = self._run("remove", name, command, "")
            return self._fail(problem) if problem else True
        if not self.dry and not self.force:
            if users := kmod.holders(name):
                return self._fail(f"Module {name} is in use by: {' '.join(users)}", "FATAL")
            if kmod.references(name):
                return self._fail(f"Module {name} is in use.", "FATAL")
        if self.verbose:
            self.show(f"rmmod {name}")
        if self.dry:
            return True
        try:
            modules.unload(name, force=self.force)
        except OSError as error:
            if error.errno != errno.ENOENT:
                return self._fail(f"could not remove '{name}': {error.strerror}")
        return True

    # -- both -------------------------------------------------------------------------------------

    def _run(self, what: str, name: str, command: str, words: str) -> str:
        """An install or remove command, by the shell; $CMDLINE_OPTS in it is the user's parameters.

        What went wrong, "" for nothing.
        """
        if self.verbose:
            self.show(f"{what} {command} {words}")
        if self.dry:
            return ""
        from toolbox.spawn import spawn, wait

        environment = {**os.environ, "MODPROBE_MODULE": name}
        line = command.replace("$CMDLINE_OPTS", words)
        status = wait(spawn(["sh", "-c", line], environment=environment))
        if status:
            return f"Error running {what} command '{line}' for module {name}: status {status}"
        return ""

    def _fail(self, text: str, level: str = "ERROR") -> bool:
        warn(f"{level}: {text}", 0)
        self.failed = True
        return False
