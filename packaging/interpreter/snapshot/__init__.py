"""The snapshot: the interpreter's data and heap, with everything imported, as a part of the program.

README.md beside this file explains the idea, the layout and the hazards.

    contents.py   what is in the image            record.py   fills the heap; renews it in each process
    memory.c      its memory                      record.c    writes it down            audit.c  what would dangle
    outside.c     the host it may not see         restore.c   the start of a process from it
    layout.ld, inside.syms   what belongs to it   image.py    its files -> the program
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from interpreter.snapshot import audit
from interpreter.snapshot.image import assemble
from interpreter.workshop import run

HERE = Path(__file__).parent

#: Python that the recorder runs.
SCRIPTS = ("record.py", "contents.py", "host_audit.py")


def record(recorder: Path, program: Path, log: Path) -> None:
    """Run the recorder and put what it records into the program, which is replaced at once.  BuildError says what is wrong."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in SCRIPTS:
            shutil.copy(HERE / name, folder)
        shutil.copy(recorder, folder / "recorder")
        # Nothing of this environment reaches it, its words are always the same, and so its stack and the C library's
        # heap lie where they always lie.
        words = ["env", "-i", "setarch", "--addr-no-randomize", "./recorder", ".", "record.py"]
        run(words, cwd=folder, log=log)
        audit.check(recorder, folder / "dangling")
        run(["strip", recorder], log=log)
        part = program.with_name(f".{program.name}.part")
        assemble(recorder, folder, part)
        shutil.move(part, program)
