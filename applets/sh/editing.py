"""Line editing on prompt_toolkit: history in ~/.sh_history, completion of commands and files."""

from __future__ import annotations

import os

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.output.vt100 import Vt100_Output

from applets.sh.errors import Interrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from applets.sh.shell.state import State

_BREAKS = " \t|&;<>()=`\"'"
_COMMAND_BEFORE = frozenset(
    ("", "|", "&", ";", "(", "`", "then", "do", "else", "if", "while", "!", "{")
)
_SPECIAL = frozenset(" \t\\'\"$`|&;<>()*?[]#~!{}")


class Editor:
    """One line at a time from a terminal on descriptors 0 and 2."""

    def __init__(self, shell: State) -> None:
        self._shell = shell
        # not os.fdopen of 0: the descriptor must stay open when this object goes
        self._input = Vt100Input(open(0, encoding="utf-8", errors="surrogateescape", closefd=False))
        output = open(2, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
        # no cursor position requests: serial consoles do not answer them
        self._output = Vt100_Output(output, _size, term=shell.get("TERM"), enable_cpr=False)
        self._session: PromptSession[str] = PromptSession(
            history=_history(shell),
            completer=Names(shell),
            complete_while_typing=False,
            enable_history_search=True,
            input=self._input,
            output=self._output,
        )

    def line(self, text: str) -> str:
        """Prompt for a line, with its newline; "" at Ctrl-D; raises Interrupt at Ctrl-C.  text: one line."""
        try:
            got = self._session.prompt(
                ANSI(text), vi_mode="vi" in self._shell.flags, handle_sigint=False
            )
        except KeyboardInterrupt:
            raise Interrupt from None
        except EOFError:
            return ""
        return got + "\n"


def _size() -> Size:
    """The terminal's size; serial lines do not know theirs."""
    columns, rows = os.get_terminal_size(2)
    return Size(rows=rows or 24, columns=columns or 80)


def _history(shell: State) -> History:
    """The history file, when it can be written."""
    home = shell.get("HOME")
    path = shell.get("HISTFILE") or (os.path.join(home, ".sh_history") if home else "")
    try:
        if path:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
            return FileHistory(path)
    except OSError:
        pass  # a read-only home: the session remembers
    return InMemoryHistory()


class Names(Completer):
    """Completes commands where one may stand, files elsewhere, variables after a dollar."""

    def __init__(self, shell: State) -> None:
        self._shell = shell

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """prompt_toolkit's hook."""
        before = document.text_before_cursor
        start = _word_start(before)
        word = before[start:]
        lead = before[:start].rstrip(" \t")
        if word.startswith("$"):
            found: Iterator[str] = ("$" + n for n in self._shell.vars if n.startswith(word[1:]))
        elif "/" not in word and not word.startswith("~") and _starts_command(lead):
            found = (n for n in self._commands() if n.startswith(word))
        else:
            found = self._files(word)
        for text in sorted(set(found)):
            yield Completion(text, start_position=-len(word))

    def _commands(self) -> Iterator[str]:
        from toolbox.listing import names

        shell = self._shell
        yield from shell.builtins
        yield from shell.functions
        yield from shell.aliases
        yield from names()
        for folder in (shell.get("PATH") or "").split(":"):
            try:
                yield from os.listdir(folder or ".")
            except OSError:
                pass  # a PATH may name what is not there

    def _files(self, word: str) -> Iterator[str]:
        folder, slash, name = word.rpartition("/")
        plain = _unquoted(folder + slash)
        try:
            entries = os.listdir(os.path.expanduser(plain) or ".")
        except OSError:
            return
        for entry in entries:
            if entry.startswith(_unquoted(name)) and (name.startswith(".") or entry[0] != "."):
                shown = "".join("\\" + c if c in _SPECIAL else c for c in entry)
                path = os.path.join(os.path.expanduser(plain), entry)
                yield folder + slash + shown + ("/" if os.path.isdir(path) else "")


def _word_start(text: str) -> int:
    at = len(text)
    while at and (text[at - 1] not in _BREAKS or text[at - 2 : at - 1] == "\\"):
        at -= 1
    return at


def _starts_command(lead: str) -> bool:
    return lead[-1:] in _COMMAND_BEFORE or lead.split()[-1] in _COMMAND_BEFORE


def _unquoted(text: str) -> str:
    return text.replace("\\", "")
