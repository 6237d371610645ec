"""Whether a program of the host's can run on a box: its ELF header, or the first line of a script.

What a dynamic one loads is found in binaries.py; of interpreters a box has the applets', and those of [files].
Sources: elf(5), execve(2), "Interpreter scripts".
"""

from __future__ import annotations

import os
import platform
import shlex
import struct
from collections.abc import Callable
from pathlib import Path

#: e_machine of the machines that boxes are made for.
MACHINES = {"x86_64": 62, "aarch64": 183}

#: Names of some others, for people.
NAMES = {3: "x86 of 32 bits", 40: "ARM of 32 bits", 62: "x86_64", 183: "aarch64", 243: "RISC-V"}

#: Bytes of the ELF header.
_HEADER = 64

_EXECUTABLE, _SHARED = 2, 3

#: What the kernel reads of a script (BINPRM_BUF_SIZE).
_LINE = 256

#: An absolute path -> whether the image has a file there.
There = Callable[[str], bool]


def problem(path: Path, there: There, machine: str = "") -> str:
    """Why the program cannot run on a box, and what to do; "" when it can.

    there: tells what the image has    machine: the box's, as uname(1) names it; by default this one's
    """
    machine = machine or platform.machine()
    with path.open("rb") as file:
        head = file.read(1 << 16)
        if head[:2] == b"#!":
            return _script(head, there) or _permission(path)
        if head[:4] == b"\x7fELF" and len(head) < _HEADER:
            return ""  # nothing is said there that could be wrong
        if head[:4] != b"\x7fELF":
            what = "an empty file" if not head else "neither an ELF file nor a script"
            return f"is {what}: name a program for {machine}"
        try:
            return _elf(head, machine) or _permission(path)
        except (struct.error, OverflowError):
            return f"is a damaged ELF file: name a program for {machine}"


def _permission(path: Path) -> str:
    may = path.stat().st_mode & 0o111
    return "" if may else f"has no execute permission: chmod +x {shlex.quote(str(path))}"


def _elf(head: bytes, machine: str) -> str:
    bits, order = head[4], head[5]
    end = {1: "<", 2: ">"}.get(order)
    if end is None or bits not in (1, 2):
        return f"is a damaged ELF file: name a program for {machine}"
    kind, number = struct.unpack_from(f"{end}HH", head, 16)
    if number != MACHINES.get(machine) or bits != 2 or order != 1:
        name = NAMES.get(number, f"ELF machine {number}")
        return f"is a program for {name}, and the box is {machine}: build it for {machine}"
    if kind not in (_EXECUTABLE, _SHARED):
        return "is no executable file (it was not linked): link it"
    return ""


def _script(head: bytes, there: There) -> str:
    line = head[2:_LINE].split(b"\n", 1)[0]
    words = os.fsdecode(line).split(None, 1)
    if not words:
        return "is a script that names no interpreter: begin it with #!/bin/sh"
    interpreter = words[0]
    cure = "write it for /bin/sh or /bin/python, or name a static program"
    if not there(interpreter):
        return f"is a script for {interpreter}, which is not in the image: {cure}"
    if os.path.basename(interpreter) == "env":
        arguments = words[1].split() if len(words) > 1 else []
        names = [w for w in arguments if not w.startswith("-") and "=" not in w]
        if not names or not there(f"/bin/{names[0]}"):
            name = names[0] if names else "nothing"
            return f"is a script for {name}, which is not in the image: {cure}"
    return ""
