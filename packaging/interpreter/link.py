"""Objects, archives and frozen code -> the program."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from interpreter.stages import CFLAGS, Stage
from interpreter.workshop import output, run

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

#: Our packages that go into the program.
OWN = ("toolbox", "applets")


def freeze(python: Stage, code: Stage, target: Path, log: Path) -> None:
    """Compile all Python code into `target`, by the interpreter that will run it."""
    freezer = [f"{python.folder}/build/python", "-I", "-S", "-X", "no_debug_ranges"]
    # sysconfig asks for its variables under a name that has the machine's in it.
    ask = "import sysconfig; print(sysconfig._get_sysconfigdata_name())"
    name = output([*freezer, "-c", ask]).strip()
    additions = shutil.copytree(HERE / "additions", target / "additions")
    (additions / "_sysconfigdata.py").rename(additions / f"{name}.py")
    words: list[str | Path] = [HERE / "freeze.py", target, "--additions", additions]
    words += ["--standard", python.folder / "source/Lib", "--library", code.folder / "site"]
    for package in OWN:
        words += ["--own", ROOT / package]
    # What is marshalled must not depend on the order of hashes.
    run([*freezer, *words], log=log, env={"PYTHONHASHSEED": "0"})


def link(ssl: Stage, python: Stage, native: Stage, frozen: Path, program: Path, log: Path) -> None:
    """Link the program and strip it; `program` is replaced at once."""
    source, work = python.folder / "source", python.folder / "build"
    objects = []
    includes = [f"-I{source}/Include", f"-I{source}/Include/internal", f"-I{work}", f"-I{frozen}"]
    for name in ("main.c", "syscalls.c", "frozen.c", "paths.c"):
        target = frozen / f"{name}.o"
        flags = [*CFLAGS.split(), "-fwrapv", "-DNDEBUG", "-DPy_BUILD_CORE", *includes]
        run(["gcc", "-c", *flags, HERE / name, "-o", target], log=log)
        objects.append(target)
    run(["gcc", "-c", "modules.S", "-o", "modules.o"], cwd=frozen, log=log)
    objects += [frozen / "modules.o", native.folder / "cffi_backend.o"]
    objects.append(native.folder / "libcryptography_rust.a")
    part = program.with_name(f".{program.name}.{os.getpid()}")
    # The archives name each other both ways, so they are searched twice.
    archives = _archives(work)
    run(
        [
            *("gcc", "-static", "-no-pie", "-Wl,--gc-sections", "-Wl,--build-id=none", "-s"),
            *("-Wl,-z,noexecstack", "-o", part),
            *objects,
            work / "libpython3.13.a",
            *archives,
            *archives,
            *(f"-L{ssl.folder}/usr/lib", "-lffi"),
        ],
        cwd=work,
        log=log,
    )
    program.parent.mkdir(parents=True, exist_ok=True)
    part.replace(program)


def _archives(work: Path) -> list[str]:
    """The libraries that CPython's Makefile links its modules with."""
    ask = work / "libraries.mk"
    ask.write_text("include Makefile\nlibraries:\n\t@echo $(LIBS) $(MODLIBS) $(SYSLIBS)\n")
    return output(["make", "-s", "-f", ask.name, "libraries"], cwd=work).split()
