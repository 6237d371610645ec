"""The commands that the shell runs itself (POSIX XCU 1.7, 2.14): one literal table.

echo, printf, test and their like are the applets, called in this process; there is no second version.
"""

from __future__ import annotations

from applets.sh.builtins import (
    control,
    directories,
    getopts,
    limits,
    names,
    processes,
    read,
    variables,
)
from applets.sh.shell.state import Builtin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from applets.sh.shell.state import State

    Function = Callable[[State, list[str]], int]


def applet(shell: State, argv: list[str]) -> int:
    """An applet that runs in the shell's own process."""
    from toolbox import multicall

    return multicall.call(argv)


SPECIAL: dict[str, Function] = {
    ":": control.colon,
    ".": control.dot,
    "source": control.dot,
    "break": control.break_,
    "continue": control.continue_,
    "eval": control.eval_,
    "exec": control.exec_,
    "exit": control.exit_,
    "export": variables.export,
    "readonly": variables.readonly,
    "return": control.return_,
    "set": variables.set_,
    "shift": variables.shift,
    "times": processes.times,
    "trap": processes.trap,
    "unset": variables.unset,
}

REGULAR: dict[str, Function] = {
    "[": applet,
    "alias": names.alias,
    "bg": processes.bg,
    "cd": directories.cd,
    "command": names.command,
    "echo": applet,
    "false": applet,
    "fg": processes.fg,
    "getopts": getopts.getopts,
    "hash": names.hash_,
    "jobs": processes.jobs,
    "kill": processes.kill,
    "let": variables.let,
    "local": variables.local,
    "printf": applet,
    "pwd": directories.pwd,
    "read": read.read,
    "test": applet,
    "true": applet,
    "type": names.type_,
    "ulimit": limits.ulimit,
    "umask": limits.umask,
    "unalias": names.unalias,
    "wait": processes.wait,
}

TABLE = {
    **{name: Builtin(function, True) for name, function in SPECIAL.items()},
    **{name: Builtin(function, applet=function is applet) for name, function in REGULAR.items()},
}
