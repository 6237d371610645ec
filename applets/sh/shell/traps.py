"""Traps and signals (POSIX XCU 2.11, 2.14 trap).

A signal's handler only notes it; the action runs between two commands (run/traps.py).  In an interactive shell SIGINT
is noted too, and leads back to the prompt.
"""

from __future__ import annotations

import signal

from applets.sh.errors import Interrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


def numbers() -> dict[str, int]:
    """Signal names without SIG, and EXIT, with their numbers."""
    got = {s.name[3:]: int(s) for s in signal.Signals}
    return {"EXIT": 0, **got, "RTMIN": signal.SIGRTMIN, "RTMAX": signal.SIGRTMAX}


def number_of(text: str) -> int | None:
    """The signal that `text` names (INT, SIGINT, int, 2, EXIT); None when there is none."""
    if text.isascii() and text.isdecimal():
        return int(text) if len(text) < 5 and int(text) < 65 else None
    name = text.upper()
    known = numbers()
    return known.get(name[3:] if name.startswith("SIG") else name)


def name_of(number: int) -> str:
    """A signal's name without SIG."""
    if not number:
        return "EXIT"
    try:
        return signal.Signals(number).name[3:]
    except ValueError:
        return str(number)


class Traps:
    """The actions of one shell; what came and has not run yet is in `pending`."""

    def __init__(self) -> None:
        self.actions: dict[int, str] = {}
        self.pending: list[int] = []
        self.interrupted = False  # SIGINT in an interactive shell
        self.status_before: int | None = None  # $? when the action that is running began
        self._shown: dict[int, str] | None = None  # in a subshell: the parent's, for `trap` alone
        self.interruptible = False  # SIGINT may leave a system call
        self._interactive = False  # an interactive shell's own, not a subshell's
        self._background = False  # a child of `&`: SIGINT and SIGQUIT stay ignored

    def set(self, number: int, action: str | None) -> None:
        """Set the action for a signal: "" ignores it, None is the default."""
        self._shown = None
        if number and self._fixed(number):
            return
        if action is None:
            self.actions.pop(number, None)
        else:
            self.actions[number] = action
        if number:
            self._install(number)

    def _fixed(self, number: int) -> bool:
        """KILL and STOP; and what was ignored when a non-interactive shell started stays ignored."""
        if number in (signal.SIGKILL, signal.SIGSTOP):
            return True
        if number in self.actions or self._interactive:
            return False
        return signal.getsignal(number) == signal.SIG_IGN

    def _install(self, number: int) -> None:
        action = self.actions.get(number)
        if action == "":
            signal.signal(number, signal.SIG_IGN)
        elif action is not None or (number == signal.SIGINT and self._interactive):
            signal.signal(number, self._note)
        elif self._interactive and number in _IGNORED_AT_PROMPT:
            signal.signal(number, signal.SIG_IGN)
        else:
            signal.signal(number, signal.SIG_DFL)

    def enter_interactive(self) -> None:
        """Signals of an interactive shell: INT leads to the prompt, QUIT and TERM are ignored."""
        self._interactive = True
        for number in (signal.SIGINT, *_IGNORED_AT_PROMPT):
            self._install(number)

    def note(self, number: int) -> None:
        """A signal has come."""
        if number in self.actions:
            self.pending.append(number)
        elif number == signal.SIGINT:
            self.interrupted = True
            self.pending.append(number)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.note(number)
        if self._interactive and self.interruptible and number == signal.SIGINT:
            raise Interrupt

    def ignored_in_background(self, number: int) -> None:
        """In the child of `command &` without job control: the signal is ignored, unless trapped."""
        signal.signal(number, signal.SIG_IGN)
        self.actions.pop(number, None)
        self._background = True

    def defaults_in_child(self) -> list[int]:
        """Signals that an interactive shell ignores for itself alone, and its children must not."""
        if not self._interactive:
            return []
        mine = [signal.SIGTERM, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU]
        if not self._background:
            mine += [signal.SIGQUIT]
        return [number for number in mine if self.actions.get(number) != ""]

    def before_exec(self) -> None:
        """An applet or program takes this process: signals are as if the shell had never caught any."""
        for number in self.defaults_in_child():
            signal.signal(number, signal.SIG_DFL)
        if self._interactive and signal.SIGINT not in self.actions:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        for number, action in self.actions.items():
            if action and number:
                signal.signal(number, signal.SIG_DFL)

    def enter_subshell(self, keep: bool) -> None:
        """In a child: caught signals are at their defaults, ignored ones stay so.

        `keep`: the parent's actions are still listed, as `saved=$(trap)` needs (XCU trap).
        """
        for number in self.defaults_in_child():
            signal.signal(number, signal.SIG_DFL)
        if self._interactive and not self._background:
            for number in (signal.SIGINT, signal.SIGQUIT):
                if number not in self.actions:
                    signal.signal(number, signal.SIG_DFL)
        self._interactive = False
        self._shown = (self._shown or dict(self.actions)) if keep else None
        for number, action in list(self.actions.items()):
            if action:
                del self.actions[number]
                if number:
                    signal.signal(number, signal.SIG_DFL)
        self.pending.clear()

    def listed(self) -> dict[int, str]:
        """What `trap` shows."""
        return self.actions if self._shown is None else self._shown

    def forget_interrupt(self) -> None:
        """The SIGINT that has come is being acted upon."""
        self.interrupted = False
        self.pending = [number for number in self.pending if number in self.actions]


_IGNORED_AT_PROMPT = (signal.SIGQUIT, signal.SIGTERM)
