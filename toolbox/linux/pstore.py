"""What the kernel said last before a panic, as the next boot finds it (Documentation/ABI/testing/pstore)."""

from __future__ import annotations

import contextlib
import os
import re

#: Where the records are.
FOLDER = "/sys/fs/pstore"

#: The crash by which the last boot ended, for as long as this one lasts; init writes it.
CRASH_LOG = "/run/crash.log"

#: How long a record may be; the kernel's own limit is 10 KiB.
_LONGEST = 1 << 18

#: A line of the kernel's log: "<2>[    1.234567] text", with the caller after the time in some kernels.
_LINE = re.compile(r"(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?(.*)")

_PANIC = "Kernel panic - not syncing: "

#: A panic that only follows from what was said before -> how the line that says it begins.
_CAUSES = {"Attempted to kill init!": ("first stage: ",), "Fatal exception": ("BUG: ", "general ")}


def mount(folder: str = FOLDER) -> None:
    """Make the records visible.  OSError as mount(2); nothing happens where the kernel keeps none."""
    from toolbox.linux import mount as door

    if os.path.isdir(folder) and not os.listdir(folder):
        flags = door.MS_NOSUID | door.MS_NODEV | door.MS_NOEXEC
        door.mount("pstore", folder, "pstore", flags)


def take(folder: str = FOLDER) -> str:
    """The text of all records, which are gone then; "" when there is none.  OSError as the file system says."""
    found = []
    for name in sorted(os.listdir(folder)):
        if not name.startswith("dmesg-"):
            continue
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            found.append(file.read(_LONGEST).decode("utf-8", "replace"))
        with contextlib.suppress(OSError):
            os.unlink(path)
    return "".join(text if text.endswith("\n") else f"{text}\n" for text in found)


def last_crash(path: str = CRASH_LOG) -> str:
    """Why the last boot crashed, in one line; "" when it did not, or left no word of it."""
    try:
        with open(path, errors="replace") as file:
            return reason(file.read(_LONGEST))
    except OSError:
        return ""


def reason(text: str) -> str:
    """The one line of a crash that says what happened; "" when there was none."""
    before: list[str] = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        said = match[1] if match else line
        if said.startswith(_PANIC):
            return _cause(said[len(_PANIC) :], before)
        before.append(said)
    return ""


def _cause(panic: str, before: list[str]) -> str:
    for consequence, beginnings in _CAUSES.items():
        if panic.startswith(consequence):
            # The last of them; but the first stage ends with what it does about it.
            told = [s for s in before if s.startswith(beginnings) and ": reboot in " not in s]
            if told:
                return told[-1]
    return panic
