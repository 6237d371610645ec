"""The snapshot: the interpreter's data and heap, with everything imported, as a part of the program.

README.md beside this file explains the idea, the layout and the hazards.

    contents.py            what is in the image
    layout.ld, inside.syms which data belongs to it, and whose calls of the C library are ours
    memory.c               its memory
    outside.c              the host that it may not see
    record.c, record.py    fill it and write it down
    plan.c, heat.py        where its blocks lie, by what starts touch and what they are
    watch.c                which bytes a run touches
    rehearsals             what init and the daemons do as they start
    touch.py               what a boot touches: its calls are in boot.functions and boot.symbols
    audit.c, audit.py      words of it that would dangle
    dwarf.py, layouts.py   what of Rust's objects is padding
    host_audit.py          objects in it that belong to the host
    image.py               what the recorder has written -> the program
    restore.c, restore.py  the start of a process from it
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from interpreter.snapshot import audit, heat
from interpreter.snapshot.image import Elf, assemble
from interpreter.snapshot.layouts import Layouts
from interpreter.workshop import output, run

HERE = Path(__file__).parent

#: Python that the recorder runs.
SCRIPTS = ("record.py", "restore.py", "contents.py", "host_audit.py")


def record(link: Callable[[Path, Path], None], known: Layouts, program: Path, log: Path) -> None:
    """Record twice, and make the program, which is replaced at once.  BuildError says what is wrong.

    known: the layouts of Rust's objects in it.  link(recorder, lists) links the recorder.  The second one has what starts from the first recording touch side by
    side, in the program as in the heap: the same blocks, placed by a plan.
    """
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        trial, recorder, stripped = scratch / "toolbox", scratch / "recorder", scratch / "stripped"
        heat.write_lists([], None, scratch)
        link(recorder, scratch)
        first = _record(recorder, heat.NO_PLAN, scratch / "first", log)
        assemble(recorder, first, trial)
        seen = heat.watch(trial, scratch, log)
        heat.write_lists(seen, recorder, scratch)
        _, data = Elf(trial.read_bytes()).section(".snapshot")
        plan = heat.plan(seen, first, range(data.address, data.address + data.size))
        link(recorder, scratch)
        second = _record(recorder, plan, scratch / "second", log)
        audit.check(recorder, second, known)
        run(["strip", "-o", stripped, recorder], log=log)
        part = program.with_name(f".{program.name}.part")
        assemble(stripped, second, part, heat.touched(plan))
        heat.symbols_of(program).write_text(output(["nm", "-n", "--defined-only", recorder]))
        part.replace(program)


def _record(recorder: Path, plan: bytes, folder: Path, log: Path) -> Path:
    """Run the recorder in a new folder, where it leaves what it records."""
    folder.mkdir()
    for name in SCRIPTS:
        shutil.copy(HERE / name, folder)
    shutil.copy(recorder, folder / "recorder")
    (folder / "plan").write_bytes(plan)
    # Nothing of this environment reaches it, its words are always the same, and so its stack and the C library's heap lie
    # where they always lie.
    # It prints into a new file: the offset in a longer one, like the log, is an object that another run does not have.
    show = '"$@" >printed 2>&1; status=$?; cat printed; exit $status'
    words = [
        "sh",
        "-c",
        show,
        "sh",
        "env",
        "-i",
        "setarch",
        "--addr-no-randomize",
        "./recorder",
        ".",
    ]
    run(words, cwd=folder, log=log)
    return folder
