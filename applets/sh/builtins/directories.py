"""cd and pwd (POSIX XCU): the logical path is kept in PWD."""

from __future__ import annotations

import os

from applets.sh.builtins.arguments import letters, write
from applets.sh.errors import ShellError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State


def current(shell: State) -> str:
    """$PWD when it names the working directory, else its physical path; "" when it has none."""
    path = shell.get("PWD") or ""
    try:
        if path.startswith("/") and os.path.samefile(path, "."):
            return path
    except OSError:
        pass
    try:
        return os.getcwd()
    except OSError:
        return ""


def start(shell: State) -> None:
    """Set PWD for a new shell."""
    path = current(shell)
    if path:
        shell.vars["PWD"] = path
    else:
        shell.vars.pop("PWD", None)


def normal(path: str) -> str:
    """An absolute path without . and .. components, taken literally (cd -L, step 8)."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def cd(shell: State, argv: list[str]) -> int:
    """cd [-L|-P] [DIRECTORY|-]"""
    found, operands = letters(argv, "LPe@")
    physical = found.rstrip("e@")[-1:] == "P"
    target = operands[0] if operands else shell.get("HOME")
    if target is None:
        raise ShellError("HOME not set", 1)
    show = False
    if target == "-":
        target = shell.get("OLDPWD")
        if target is None:
            raise ShellError("OLDPWD not set", 1)
        show = True
    candidates = [target]
    if not target.startswith("/") and target.split("/")[0] not in (".", ".."):
        folders = (shell.get("CDPATH") or "").split(":")
        candidates = [os.path.join(folder, target) for folder in folders if folder] + [target]
    before = current(shell)
    for candidate in candidates:
        try:
            path = _change(candidate, before, physical)
        except OSError as error:
            failure = error
            continue
        shell.set("OLDPWD", before)
        shell.set("PWD", path)
        if show or candidate != target:
            write(path + "\n")
        return 0
    raise ShellError(f"can't cd to {target}: {failure.strerror}", 1)


def _change(target: str, before: str, physical: bool) -> str:
    if physical or not (before or target.startswith("/")):
        os.chdir(target)
        return os.getcwd()
    path = os.path.join(before, target)
    # x/.. needs x to be a directory, though the path that is left does not show it
    if "/.." in path:
        os.stat(path)
    path = normal(path)
    os.chdir(path)
    return path


def pwd(shell: State, argv: list[str]) -> int:
    """pwd [-L|-P]: the applet, with the shell's PWD."""
    from toolbox import multicall

    os.environ["PWD"] = shell.get("PWD") or ""
    return multicall.call([argv[0], "-L", *argv[1:]])
