"""The interactive prompt: prompt_toolkit on a terminal that can do it, plain lines else."""

from __future__ import annotations

import code
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from prompt_toolkit.completion import CompleteEvent, Completion
    from prompt_toolkit.document import Document

HISTORY = "~/.python_history"


def interact(names: dict[str, Any], *, greet: bool = True) -> int:
    """Read, evaluate, print, until the end of input; returns the exit status."""
    console = code.InteractiveConsole(names, filename="<stdin>")
    banner = f"Python {sys.version.split()[0]} (Snakeroot).  Ctrl-D leaves."
    if not greet:
        banner = ""
    try:
        if os.isatty(0) and os.isatty(1) and os.environ.get("TERM", "dumb") != "dumb":
            console.raw_input = line_editor(names)  # type: ignore[method-assign, assignment]
        console.interact(banner=banner, exitmsg="")
    except SystemExit as leave:
        if leave.code is None or isinstance(leave.code, int):
            from applets.system.python import exit_status

            return exit_status(leave.code or 0)
        print(leave.code, file=sys.stderr)
        return 1
    return 0


def line_editor(names: dict[str, Any]) -> Callable[[str], str]:
    """A function that asks for one line with editing, history and completion."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.completion import Completion as Found
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory

    class Names(Completer):
        """Completes names and attributes of the prompt's own namespace."""

        def get_completions(
            self, document: Document, complete_event: CompleteEvent
        ) -> Iterable[Completion]:
            import rlcompleter

            word = document.get_word_before_cursor(pattern=_dotted())
            if not word:
                return
            completer = rlcompleter.Completer(names)
            number = 0
            while (match := completer.complete(word, number)) is not None:
                yield Found(match.rstrip("() "), start_position=-len(word))
                number += 1

    path = os.path.expanduser(HISTORY)
    kept: History = InMemoryHistory()
    if os.access(path if os.path.exists(path) else os.path.dirname(path), os.W_OK):
        kept = FileHistory(path)
    session: PromptSession[str] = PromptSession(
        history=kept, completer=Names(), complete_while_typing=False
    )

    def ask(prompt: str = "") -> str:
        # Without a handler of prompt_toolkit's own, which needs symbols that a static program lacks;
        # Ctrl-C is a key here.
        return session.prompt(prompt, handle_sigint=False)

    return ask


def _dotted() -> Any:
    import re

    return re.compile(r"[\w.]+")
