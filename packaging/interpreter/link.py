"""Objects, archives and frozen code -> the program."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from interpreter.snapshot.layouts import Layouts
from interpreter.stages import CFLAGS, LAYOUTS, PYTHON, Stage
from interpreter.workshop import output, run

HERE = Path(__file__).parent

LIBPYTHON = f"libpython{PYTHON}.a"
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


#: C of ours in both programs; the first that has a name finds it, so what replaces CPython's comes before libpython.
COMMON = ("main.c", "syscalls.c", "frozen.c", "paths.c")

#: Members of libpython that frozen.c and paths.c replace.
REPLACED = ("frozen.o", "getpath.o")

#: Of the C library, all of which is shared in the dynamic program; every other library comes out of its archive.
SHARED = frozenset({"-lc", "-lm", "-lpthread", "-ldl", "-lrt", "-lutil"})

#: C of the snapshot: with data inside the image, and outside of it.
INSIDE = ("memory.c", "outside.c", "restore.c", "hashlib.c")
OUTSIDE = ("record.c", "plan.c", "audit.c")

SNAPSHOT = HERE / "snapshot"

#: C that stands before functions of libraries.  Its data is never in an image: what they have been told in one process,
#: they must be told again in the next.
BEFORE = (HERE / "names.c", HERE / "late.c")

#: The same, in static programs alone.
BEFORE_STATIC = (HERE / "static.c",)


def _archived(words: Iterable[str]) -> Iterator[str]:
    """A linker's words: libraries, each out of its archive unless it is a part of the C library."""
    for word in words:
        if word.startswith("-l") and word not in SHARED:
            yield from ("-Wl,-Bstatic", word, "-Wl,-Bdynamic")
        else:
            yield word


def _wrapped(source: Path) -> list[str]:
    """The functions that C of ours stands before (ld's --wrap)."""
    return re.findall(r"^(?:WRAP\([^,]*, |__wrap_)(\w+)", source.read_text(), re.MULTILINE)


class Linker:
    """Compiles our C into `folder`, which holds the frozen code's tables, and links programs."""

    def __init__(self, ssl: Stage, python: Stage, native: Stage, folder: Path, log: Path) -> None:
        self._folder, self._log, self._native = folder, log, native
        self._source, self._work = python.folder / "source", python.folder / "build"
        self._ssl = ssl.folder / "usr"
        self._inside: tuple[list[Path], list[str]] | None = None

    def plain(self, program: Path) -> None:
        """The plain frozen program: it starts the interpreter each time."""
        objects = self._common()
        archives = [self._native.folder / "libcryptography_rust.a", self._work / LIBPYTHON]
        objects.append(self._native.folder / "cffi_backend.o")
        self._link(program, [*objects, *archives], self._libraries(), "-s")

    def dynamic(self, program: Path) -> None:
        """The plain program once more, against the shared C library: it loads compiled wheels."""
        objects: list[str | Path] = [*self._common(), self._native.folder / "cffi_backend.o"]
        # A wheel may call any function of the C API, also one that nothing of ours does.
        objects += ["-Wl,--whole-archive", self._without_replaced(), "-Wl,--no-whole-archive"]
        objects.append(self._native.folder / "libcryptography_rust.a")
        # It sees CPython's names and no others: one that brings its own OpenSSL (psycopg, grpcio) must not get ours.
        exported = self._folder / "exported.list"
        exported.write_text("{ Py*; _Py*; };\n")
        words = (f"-Wl,--dynamic-list={exported}", "-Wl,-z,relro", "-s")
        self._link(program, objects, self._libraries(), *words, static=False)

    def recorder(self, program: Path, lists: Path) -> None:
        """The program that records the snapshot: the same objects, with their memory in our hands.

        lists: a folder with lists of the sections that come first (heat.write_lists).  It keeps its symbols, so that
        what is found out about it has names.
        """
        if not self._inside:
            self._inside = self._take_inside(self._folder / "inside")
        objects, libraries = self._inside
        before = [f"-Wl,--wrap={name}" for name in _wrapped(SNAPSHOT / "restore.c")]
        layout = ("-T", SNAPSHOT / "layout.ld", f"-L{lists}")
        self._link(program, objects, libraries, *before, *layout)

    def layouts(self) -> Layouts:
        """How the objects of Rust in the programs are laid out."""
        return Layouts.load(self._native.folder / LAYOUTS)

    def _take_inside(self, inside: Path) -> tuple[list[Path], list[str]]:
        """Objects and libraries of the recorder, those whose data becomes the image in a folder `inside`."""
        inside.mkdir()
        rename = ["objcopy", f"--redefine-syms={SNAPSHOT / 'inside.syms'}"]

        def renamed(path: Path) -> Path:
            run([*rename, path, inside / path.name], log=self._log)
            return inside / path.name

        objects = [renamed(path) for path in self._common()]
        objects += [self._compile(SNAPSHOT / name, inside) for name in INSIDE]
        objects += [self._compile(SNAPSHOT / name, self._folder) for name in OUTSIDE]
        objects.append(renamed(self._native.folder / "cffi_backend.o"))
        objects.append(renamed(self._native.folder / "libcryptography_rust.a"))
        objects.append(renamed(self._work / LIBPYTHON))
        libraries = [
            str(renamed(self._work / word)) if word.endswith(".a") else word
            for word in self._libraries()
        ]
        return objects, libraries

    def _without_replaced(self) -> Path:
        """libpython without the members in whose place C of ours stands, for a link that takes all of it."""
        archive = self._folder / f"whole-{LIBPYTHON}"
        shutil.copyfile(self._work / LIBPYTHON, archive)
        run(["ar", "d", archive, *REPLACED], log=self._log)
        return archive

    def _common(self) -> list[Path]:
        code = self._folder / "modules.o"
        run(["gcc", "-c", "modules.S", "-o", code], cwd=self._folder, log=self._log)
        return [*(self._compile(HERE / name, self._folder) for name in COMMON), code]

    def _compile(self, source: Path, folder: Path) -> Path:
        target = folder / f"{source.name}.o"
        includes = [self._source, self._source / "Include", self._source / "Include/internal"]
        includes += [self._work, self._folder, self._ssl / "include"]
        flags = [*CFLAGS.split(), "-fwrapv", "-DNDEBUG", "-DPy_BUILD_CORE"]
        run(
            ["gcc", "-c", *flags, *(f"-I{i}" for i in includes), source, "-o", target],
            log=self._log,
        )
        return target

    def _libraries(self) -> list[str]:
        """The libraries that CPython's Makefile links its modules with."""
        ask = self._work / "libraries.mk"
        ask.write_text("include Makefile\nlibraries:\n\t@echo $(LIBS) $(MODLIBS) $(SYSLIBS)\n")
        return output(["make", "-s", "-f", ask.name, "libraries"], cwd=self._work).split()

    def _link(
        self,
        program: Path,
        objects: Sequence[str | Path],
        libraries: list[str],
        *options: str | Path,
        static: bool = True,
    ) -> None:
        """Link; `program` is replaced at once.  static: with the C library inside."""
        program.parent.mkdir(parents=True, exist_ok=True)
        part = program.with_name(f".{program.name}.{os.getpid()}")
        # The archives name each other both ways, so they are searched twice.
        libraries = [*libraries, *libraries, "-lffi"]
        before = (*BEFORE, *BEFORE_STATIC) if static else BEFORE
        if static:
            options = ("-static", *options)
        else:
            libraries = [*_archived(libraries)]
        run(
            [
                *("gcc", "-no-pie", "-Wl,--gc-sections", "-Wl,--build-id=none"),
                *("-Wl,-z,noexecstack", "-T", HERE / "unwind.ld", "-T", HERE / "late.ld"),
                *("-o", part, *options),
                *(f"-Wl,--wrap={name}" for source in before for name in _wrapped(source)),
                *(self._compile(source, self._folder) for source in before),
                *objects,
                f"-L{self._ssl}/lib",
                *libraries,
            ],
            cwd=self._work,
            log=self._log,
        )
        part.chmod(0o755)  # every user may run it, whatever the umask
        part.replace(program)
