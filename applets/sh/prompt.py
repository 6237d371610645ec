r"""Prompts: the escapes of bash and BusyBox (\u \h \w \$ ...), then parameter expansion as POSIX has it."""

from __future__ import annotations

import os
import re

from applets.sh.expand.prompts import expanded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State

_ESCAPE = re.compile(r"\\([0-7]{3}|[\s\S])")
_TIMES = {"t": "%H:%M:%S", "T": "%I:%M:%S", "A": "%H:%M", "@": "%I:%M %p", "d": "%a %b %d"}


def prompt(shell: State, name: str) -> str:
    """The prompt PS1 or PS2, ready to be shown."""

    def replace(match: re.Match[str]) -> str:
        return _escape(shell, match.group(1))

    return expanded(shell, name, _ESCAPE.sub(replace, shell.get(name) or ""))


def _escape(shell: State, key: str) -> str:
    if key in ("h", "H"):
        host = os.uname().nodename
        return host.partition(".")[0] if key == "h" else host
    if key in ("w", "W"):
        return _directory(shell, key == "W")
    if key == "u":
        import pwd

        try:
            return pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            return str(os.geteuid())
    if key in _TIMES:
        import time

        return time.strftime(_TIMES[key])
    if len(key) == 3:
        return chr(int(key, 8) & 0xFF)
    # a literal dollar or backslash must survive the expansion that follows
    plain = {"$": "#" if os.geteuid() == 0 else r"\$", "n": "\n", "r": "\r", "a": "\a"}
    plain.update({"e": "\033", "[": "", "]": "", "\\": "\\\\", "s": "sh"})
    return plain.get(key, "\\" + key)


def _directory(shell: State, last: bool) -> str:
    path, home = shell.get("PWD") or "", (shell.get("HOME") or "").rstrip("/")
    if home and (path == home or path.startswith(home + "/")):
        path = "~" + path[len(home) :]
    if last:
        path = path.rpartition("/")[2] or path
    return path.replace("\\", "\\\\").replace("$", "\\$").replace("`", "\\`")
