"""modprobe [OPTION]... MODULE [PARAMETER]...
modprobe [OPTION]... [-c] [-a] [MODULE]...

Put a kernel module in, after all those that it needs. MODULE is a name, or an alias such as a
device has; a PARAMETER is NAME=VALUE.

  -a, --all             every operand is a module
  -b, --use-blacklist   the blacklist holds for names, too, not only for aliases
  -c, --showconfig, --show-config  show the configuration
  -C, --config=PATH...  read this file or folder instead of the modprobe.d folders
  -d, --dirname=DIR     modules are in DIR/lib/modules
  -D, --show-depends    only show what would be put in, loaded or not
  -f, --force           --force-modversion and --force-vermagic
      --force-modversion  whatever versions of symbols the module wants
      --force-vermagic  whatever kernel the module was made for
      --first-time      it is an error when the module is in already, or not in with -r
  -i, --ignore-install, --ignore-remove  no install and remove commands of the configuration
  -n, --dry-run, --show  do nothing; with -v, show what would be done
  -q, --quiet           say nothing of modules that are not there
  -r, --remove          take the module out, and those that nothing needs any more
      --remove-holders  with -r: first those that use it
  -R, --resolve-alias   only show the modules that a name stands for
  -S, --set-version=VERSION  modules of this kernel, instead of the running one
  -v, --verbose         show what is done

Configuration (modprobe.d(5)): *.conf in /etc/modprobe.d, /run/modprobe.d,
/usr/local/lib/modprobe.d, /usr/lib/modprobe.d and /lib/modprobe.d, and the kernel's command
line. Without modules.dep the modules themselves are read.
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal, UsageError, warn
from toolbox.linux import modules
from toolbox.linux.kmod import parameter
from toolbox.linux.modprobe import Prober
from toolbox.linux.modprobe_conf import ModprobeConfig
from toolbox.linux.module_tree import ModuleTree
from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """As kmod's modprobe(8)."""
    opt, names = options.parse(argv)
    version = opt.set_version or os.uname().release
    tree = ModuleTree(os.path.join(opt.dirname or "/", "lib/modules", version))
    config = ModprobeConfig.read(opt.config, report=lambda text: warn(text, 0))
    if opt.showconfig:
        for line in (*config.lines(), *tree.alias_lines()):
            stdout().write(os.fsencode(line) + b"\n")
        return 0
    if not names:
        raise UsageError("missing operand")
    words = [] if opt.all or opt.remove else [parameter(word) for word in names[1:]]
    prober = Prober(tree, config, _show)
    prober.dry = opt.dry_run or opt.show_depends
    prober.verbose = opt.verbose or opt.show_depends
    prober.depends = opt.show_depends
    prober.commands = not opt.ignore_install
    prober.blacklist_names = opt.use_blacklist
    prober.first_time = opt.first_time
    prober.remove_holders = opt.remove_holders
    if opt.force or opt.force_modversion:
        prober.flags |= modules.MODULE_INIT_IGNORE_MODVERSIONS
    if opt.force or opt.force_vermagic:
        prober.flags |= modules.MODULE_INIT_IGNORE_VERMAGIC
    prober.force = opt.force
    for name in names if opt.all or opt.remove else names[:1]:
        found = prober.lookup(name)
        if not found:
            problem = f"Module {name} not found in directory {tree.folder}"
            if not opt.quiet:
                if reason := tree.unreadable(name):
                    problem = f"Module {name} cannot be read: {reason.strerror}"
                if not opt.all:
                    raise Fatal(f"FATAL: {problem}")
                warn(f"WARNING: {problem}")
            prober.failed = True
            continue
        for module in found:
            if opt.resolve_alias:
                stdout().write(os.fsencode(module) + b"\n")
            elif opt.remove:
                prober.take_out(module)
            else:
                prober.put_in(module, name, words)
    return 1 if prober.failed else 0


def _show(line: str) -> None:
    """A line of the trace, at once: a command of the configuration may write next."""
    out = stdout()
    out.write(os.fsencode(line) + b"\n")
    out.flush()
