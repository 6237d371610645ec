"""The programs that are compared: ours from the snapshot, ours without, and others' of the distribution."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "toolbox"
PLAIN = ROOT / "build" / "toolbox-plain"

#: The distribution's own; the first python3 of PATH may be a shell script of a version manager.
PYTHON = Path("/usr/bin/python3")

#: Kept between runs: what takes minutes to make.
KEPT = ROOT / "build" / "bench"

IMPORTS = "import asyncio, ssl, http.server, json"


def commands(folder: Path, applet: str, *words: str) -> dict[str, list[str]]:
    """Name of a program -> its words for an applet; those that are not installed are left out.

    folder: gets symbolic links to ours, for a call by an applet's name is the usual one.
    """
    found: dict[str, list[str]] = {}
    for name, program in (("ours", PROGRAM), ("plain", PLAIN)):
        if program.exists():
            link = folder / name / applet
            link.parent.mkdir(exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(program)
            found[name] = [str(link), *words]
    if applet == "python":
        if PYTHON.exists():
            found["python3 -I -S"] = [str(PYTHON), "-I", "-S", *words]
            found["python3"] = [str(PYTHON), *words]
        return found
    for box in ("busybox", "toybox"):
        if path := shutil.which(box):
            found[box] = [path, applet, *words]
    if os.path.exists(f"/bin/{applet}"):
        found["GNU"] = [f"/bin/{applet}", *words]
    return found
