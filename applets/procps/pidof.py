"""pidof [-cnqswxz] [-o PID[,PID]...]... [-S SEPARATOR] NAME...

Print the process ids of the programs called NAME, the newest first.

  -s, --single-shot    only one
  -c, --check-root     only those with the same root directory
  -o, --omit-pid=PID...  not these; %PPID is the caller of pidof
  -q                   print nothing; the status tells
  -w, --with-workers   the kernel's threads too
  -x                   scripts too, by the name that their interpreter was given
  -n                   nothing
  -z                   zombies too
  -S, -t, --separator=SEPARATOR  between the ids (a blank)

Status 0: found one; 1: none.
"""

from __future__ import annotations

import os

from toolbox.errors import UsageError
from toolbox.options import Options, whole
from toolbox.processes import Process, process_ids
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    opt, names = options.parse(argv)
    omitted = {os.getpid()}  # -x would find the name among our own words
    for word in ",".join(opt.omit_pid).split(",") if opt.omit_pid else ():
        if word == "%PPID":
            omitted.add(os.getppid())
        elif word.isascii() and word.isdecimal():
            omitted.add(whole(word, "process id"))
        else:
            raise UsageError(f"illegal omit pid value ({word})!")
    root = _root("/proc/self/root") if opt.check_root else None
    found = []
    for pid in reversed(process_ids()):
        if pid in omitted:
            continue
        try:
            process = Process(pid)
        except ProcessLookupError:
            continue
        if root is not None and _root(f"/proc/{pid}/root") != root:
            continue
        if any(_is_called(process, name, opt.x, opt.with_workers, opt.z) for name in names):
            found.append(str(pid))
            if opt.single_shot:
                break
    if found and not opt.q:
        separator = " " if opt.separator is None else opt.separator
        stdout().write(os.fsencode(separator.join(found)) + b"\n")
    return 0 if found else 1


def _is_called(process: Process, name: str, scripts: bool, workers: bool, zombies: bool) -> bool:
    if not name:
        return False
    words = process.arguments
    base = name.rpartition("/")[2]
    if not words:
        # A kernel's thread has no program; a zombie has none any more.
        return process.name == name and (zombies if process.state == "Z" else workers)
    if "/" in name:
        return name in (words[0], process.link("exe"))
    if base in (words[0].removeprefix("-").rpartition("/")[2], process.name):
        return True
    if process.link("exe").rpartition("/")[2] == base:
        return True
    # The interpreter's first operand is the script.
    script = next((word for word in words[1:] if not word.startswith("-")), "")
    return scripts and script.rpartition("/")[2] == base


def _root(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
