r"""Prompts: the escapes of bash and BusyBox (\u \h \w \$ ...), then parameter expansion as POSIX has it.

A prompt whose expansion fails is shown as it is written: it must end neither the conversation nor a
script that is being traced, and the error must not come back with every line.
"""

from __future__ import annotations

import os
import re

from applets.sh.errors import UNEXPECTED, ShellError
from applets.sh.expand import expansion

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


def expanded(shell: State, name: str, text: str | None = None) -> str:
    """The value of PS1, PS2, PS4 or ENV, expanded as a here-document is (`text`: without its escapes).

    Neither $? nor the status of the command that is being traced changes.  When the expansion fails,
    the error is told once for each value, and the value is returned as it is.
    """
    value = shell.get(name) or ""
    if text is None:
        text = value
    if "$" not in text and "`" not in text:
        return text
    kept = shell.status, shell.substituted, shell.line
    try:
        return _expand(shell, text)
    except (ShellError, *UNEXPECTED) as error:
        if shell.bad_prompts.get(name) != value:
            shell.bad_prompts[name] = value
            before, shell.command = shell.command, name
            shell.refused(error)
            shell.command = before
        return value
    finally:
        shell.status, shell.substituted, shell.line = kept


def _expand(shell: State, text: str) -> str:
    from applets.sh.syntax.lexer import Lexer
    from applets.sh.syntax.parser import Parser
    from applets.sh.syntax.source import Text

    lexer = Lexer(Text(""), Parser)
    lexer.text = text
    return expansion.text(shell, lexer.here_document_word())


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
