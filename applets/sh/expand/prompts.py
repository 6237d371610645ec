"""PS1, PS2, PS4 and ENV: their values expand at each use (POSIX XCU 2.5.3).

A value whose expansion fails is taken as it is written: it must end neither the conversation nor a
script that is being traced, and the error must not come back with every line.
"""

from __future__ import annotations

from applets.sh.errors import UNEXPECTED, ShellError
from applets.sh.expand import expansion
from applets.sh.syntax.parser import here_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State


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
        return expansion.text(shell, here_document(text))
    except (ShellError, *UNEXPECTED) as error:
        if shell.bad_prompts.get(name) != value:
            shell.bad_prompts[name] = value
            before, shell.command = shell.command, name
            shell.refused(error)
            shell.command = before
        return value
    finally:
        shell.status, shell.substituted, shell.line = kept
