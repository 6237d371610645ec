"""Names of signals: `HUP`, `SIGHUP`, `RTMIN+3`, `15` (kill(1), signal(7)).

The names come from `_signal`, because `signal` costs an import of enum.
"""

from __future__ import annotations

import _signal

from toolbox.errors import UsageError

#: Names by which signals are known besides the first one.
_SYNONYMS = {"IOT": "ABRT", "CLD": "CHLD", "POLL": "IO"}


def names() -> dict[int, str]:
    """All signals without the real-time ones: {1: "HUP", ...}."""
    found = {
        value: name[3:]
        for name, value in vars(_signal).items()
        if name.startswith("SIG")
        and not name.startswith(("SIG_", "SIGRT"))
        and name[3:] not in _SYNONYMS
    }
    return dict(sorted((int(number), name) for number, name in found.items()))


def name_of(number: int) -> str:
    """The name of a signal without `SIG`; its number in digits when it has none."""
    if number == 0:
        return "EXIT"
    low, high = int(_signal.SIGRTMIN), int(_signal.SIGRTMAX)
    if low <= number <= high:
        if number <= (low + high) // 2:
            return "RTMIN" if number == low else f"RTMIN+{number - low}"
        return "RTMAX" if number == high else f"RTMAX-{high - number}"
    return names().get(number, str(number))


def parse(text: str) -> int:
    """The number of a signal given by name, in any case and with or without `SIG`, or by number.

    UsageError names what is none; 0 is the signal that only tests.
    """
    if text.isascii() and text.isdecimal():
        if int(text) <= int(_signal.SIGRTMAX):
            return int(text)
    else:
        word = text.upper().removeprefix("SIG")
        word = _SYNONYMS.get(word, word)
        if word == "EXIT":
            return 0
        for number, name in names().items():
            if name == word:
                return number
        real_time = _real_time(word)
        if real_time is not None:
            return real_time
    raise UsageError(f"unknown signal {text!r}")


def _real_time(word: str) -> int | None:
    low, high = int(_signal.SIGRTMIN), int(_signal.SIGRTMAX)
    for name, base, sign in (("RTMIN", low, "+"), ("RTMAX", high, "-")):
        if word == name:
            return base
        digits = word.removeprefix(name + sign)
        if digits != word and digits.isascii() and digits.isdecimal():
            number = base + int(sign + digits)
            return number if low <= number <= high else None
    return None
