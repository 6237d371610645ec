"""The parts that take minutes: OpenSSL, CPython, cryptography.  Each is built once for its inputs.

A stage's folder in the cache is named by the hash of all that goes into it: pins, flags, the compilers, the
stages before it.  A file `complete`, written last, tells a finished one from one that was interrupted.
"""

from __future__ import annotations

import ast
import contextlib
import fcntl
import hashlib
import inspect
import os
import platform
import re
import shutil
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from snakeroot.host import cache

from interpreter import pins, sources
from interpreter.client import Client
from interpreter.snapshot import dwarf, layouts
from interpreter.ways import World
from interpreter.workshop import BuildError, output, run

#: Code that the linker can drop when unused, at fixed addresses; no unwind tables for C.
CFLAGS = "-O2 -g0 -fno-pie -ffunction-sections -fdata-sections"

#: A fault in C ends the program and serves no attacker: a canary above each array on the stack, sizes that the C library
#: checks, no frame that reaches beyond the guard page.  They are named since compilers' defaults differ (Ubuntu's are not
#: Debian's).  -U and -D are one word so that no Makefile changes their order.
CFLAGS += (
    " -fstack-protector-strong -fstack-clash-protection -Wp,-U_FORTIFY_SOURCE,-D_FORTIFY_SOURCE=3"
)
if platform.machine() == "x86_64":
    # The processor checks the targets of jumps only if all of the program marks them, and Rust's part does not.
    CFLAGS += " -fcf-protection=none"

OPENSSL_OPTIONS = [
    "no-shared",
    "no-module",
    "no-dso",
    "no-engine",
    "no-legacy",
    "no-tests",
    "no-docs",
    "no-apps",
    "no-comp",
    "no-quic",
    "no-dtls",
    "no-srp",
    "no-ssl3",
    "no-atexit",
    "no-autoload-config",
    "no-ssl-trace",
]

#: Not in the frozen program: readline, which is under the GPL; what a device has no use for.
CPYTHON_OPTIONS = [
    "--prefix=/usr",
    "--disable-shared",
    "--disable-test-modules",
    "--without-ensurepip",
    "--without-doc-strings",
    "--without-mimalloc",
    "--without-readline",
    "--enable-optimizations",  # by the profile of training.py
]

#: Distributions of pure Python inside the frozen program.
PURE = ["asyncssh", "dnslib", "h11", "ntplib", "prompt_toolkit", "typing_extensions"]

#: Those with native parts, which we build or do without: where their source archives have the package.
NATIVE = {"cffi": "src/cffi", "cryptography": "src/cryptography", "wcwidth": "wcwidth"}

#: The distribution's static libraries inside the program; a new version of one makes a new stage.
DISTRIBUTION = [
    "libbz2-dev",
    "libc6-dev",
    "libffi-dev",
    "liblzma-dev",
    "libncurses-dev",
    "libsqlite3-dev",
    "uuid-dev",
    "zlib1g-dev",
]

#: Of CPython: "3.13", and the folder of its standard library where it is not installed.
PYTHON = pins.series("cpython")
PYTHON_LIB = f"home/usr/lib/python{PYTHON}"

JOBS = str(os.cpu_count() or 1)

#: The program whose run is CPython's profile.
TRAINING = Path(__file__).with_name("training.py")

#: The file of cryptography's stage that says how its objects are laid out.
LAYOUTS = "layouts.json"

#: Seconds for which a stage is kept that nobody uses: two months.
KEPT = 60 * 86400


class Stages(NamedTuple):
    """All parts, each built or still to be built."""

    ssl: Stage
    python: Stage
    code: Stage
    native: Stage

    @property
    def complete(self) -> bool:
        """Whether all have been built."""
        return all(stage.complete for stage in self)


def every(log: Path) -> Stages:
    """The parts for the newest archives that can be had; none is built by this."""
    world = World(Client())
    archives = {name: sources.archive(name, log, world) for name in ("cpython", "openssl")}
    print(f"  {', '.join(str(archive.pin) for archive in archives.values())}", file=sys.stderr)
    ssl = openssl(archives["openssl"])
    python = cpython(archives["cpython"], ssl)
    code = libraries()
    return Stages(ssl, python, code, cryptography(ssl, python, code))


class Stage:
    """A built part: its folder, and the key that names all that went into it."""

    def __init__(self, name: str, inputs: list[str], build: Callable[[Path, Path], None]) -> None:
        self.name = name
        # The code that builds is an input too.
        code = _code(textwrap.dedent(inspect.getsource(build)))
        self.key = hashlib.sha256("\0".join([*inputs, code]).encode()).hexdigest()[:20]
        self.folder = cache() / "interpreter" / f"{name}-{self.key}"
        self._build = build

    @property
    def complete(self) -> bool:
        """Whether it has been built."""
        return (self.folder / "complete").exists()

    def use(self) -> None:
        """Note that it is needed today."""
        (self.folder / "complete").touch()

    def make(self, log: Path) -> None:
        """Build it unless it is complete.  Two builders at once: the second waits for the first."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.complete:
                return
            shutil.rmtree(self.folder, ignore_errors=True)
            if fit(self.folder):
                self.folder.mkdir()
                self._build(self.folder, log)
            else:
                with _elsewhere(self.folder.name) as folder:
                    self._build(folder, log)
                    shutil.copytree(folder, self.folder, symlinks=True)
            (self.folder / "complete").touch()
        self._drop_old()

    def _drop_old(self) -> None:
        """Remove what this name's builders made of other inputs and nobody has used for long."""
        for stamp in self.folder.parent.glob(f"{self.name}-*/complete"):
            if time.time() - stamp.stat().st_mtime > KEPT:
                stamp.unlink()
                shutil.rmtree(stamp.parent)


def fit(path: Path) -> bool:
    """Whether make, configure and compilers' flags can take a path: it has no blank, no quote and the like."""
    return re.fullmatch(r"[A-Za-z0-9_./+@-]+", str(path)) is not None


def reachable(path: Path, link: Path) -> Path:
    """A path that is fit: this one, or a symbolic link to it, which is made."""
    if fit(path):
        return path
    link.symlink_to(path)
    return link


@contextlib.contextmanager
def _elsewhere(name: str) -> Iterator[Path]:
    """A folder of ours alone whose path is fit, for as long as it is needed; what was left in it is removed."""
    folder = Path("/var/tmp") / f"snakeroot-{os.getuid()}-{name}"
    if folder.is_symlink() or (folder.exists() and folder.stat().st_uid != os.getuid()):
        raise BuildError(f"{folder}: is another user's; remove it, or set $SNAKEROOT_CACHE")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _code(text: str) -> str:
    """Python code without its comments."""
    return ast.unparse(ast.parse(text))


def machine() -> str:
    """What identifies the C compiler, the distribution's static libraries and the machine."""
    version = output(["gcc", "-dumpfullversion"]).strip()
    packages = ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *DISTRIBUTION]
    return f"gcc {version} {platform.machine()}\n{output(packages)}"


def released(source: Path) -> dict[str, str]:
    """What makes compilers write the source's own date for today's: the same inputs, the same bytes."""
    return {"SOURCE_DATE_EPOCH": str(int(source.stat().st_mtime))}


def openssl(archive: sources.Archive) -> Stage:
    """libssl.a and libcrypto.a, with headers."""
    target = {"x86_64": "linux-x86_64", "aarch64": "linux-aarch64"}[platform.machine()]
    options = [*OPENSSL_OPTIONS, "enable-ec_nistp_64_gcc_128"]

    words = [target, "--prefix=/usr", "--libdir=lib", "--openssldir=/etc/ssl", *options]
    words += [*CFLAGS.split(), "-fno-pic"]

    def build(folder: Path, log: Path) -> None:
        source = folder / "source"
        sources.unpack(archive, source, log)
        date = released(source / "VERSION.dat")
        run(["./Configure", *words], cwd=source, log=log, env=date)
        run(["make", f"-j{JOBS}", "build_libs"], cwd=source, log=log, env=date)
        run(["make", "install_dev", f"DESTDIR={folder}"], cwd=source, log=log, env=date)
        shutil.rmtree(source)

    return Stage("openssl", [archive.pin.sha256, *words, machine()], build)


def cpython(archive: sources.Archive, ssl: Stage) -> Stage:
    """libpython with every extension module of the standard library inside, and a python that freezes."""
    pin = archive.pin
    flags = {
        "CFLAGS": f"{CFLAGS} -fno-asynchronous-unwind-tables -fno-unwind-tables",
        "OPT": "-DNDEBUG -O2 -g0 -fwrapv",
        "LDFLAGS": "-static -no-pie -Wl,--gc-sections",
        "LINKFORSHARED": " ",
        # Debian's sqlite3.pc does not name what its static library needs.
        "LIBSQLITE3_CFLAGS": "-I/usr/include",
        "LIBSQLITE3_LIBS": "-lsqlite3 -lm -lz -ldl -lpthread",
    }
    inputs = [pin.sha256, ssl.key, machine(), *CPYTHON_OPTIONS, *flags, *flags.values()]
    inputs.append(TRAINING.read_text())

    def build(folder: Path, log: Path) -> None:
        source, work = folder / "source", folder / "build"
        sources.unpack(archive, source, log)
        work.mkdir()
        words = [*CPYTHON_OPTIONS]
        words.append(f"--with-openssl={reachable(ssl.folder / 'usr', folder / 'openssl')}")
        words += [f"{name}={value}" for name, value in flags.items()]
        # This makes Setup.stdlib say *static*: every module becomes a built-in one.
        env = {"MODULE_BUILDTYPE": "static", **released(source / "README.rst")}
        env["PYTHONHASHSEED"] = "0"  # the profile, too, is the same each time
        # By a relative path: it goes into messages.
        run(["../source/configure", *words], cwd=work, log=log, env=env)
        training = reachable(TRAINING, folder / TRAINING.name)
        make = [*_same_addresses(), "make", f"-j{JOBS}", f"PROFILE_TASK={training}"]
        run(make, cwd=work, log=log, env=env)
        run(["make", "inclinstall", f"DESTDIR={folder}/home"], cwd=work, log=log)
        (folder / PYTHON_LIB).mkdir(parents=True, exist_ok=True)
        _check_modules(work)
        for pattern in ("*.o", "*.gcda"):
            for path in work.rglob(pattern):
                path.unlink()  # libpython holds what they brought; the cache need not
        (folder / "version").write_text(pin.version)

    return Stage("cpython", inputs, build)


def libraries() -> Stage:
    """The Python code of the distributions inside, and the source of cffi's and cryptography's native parts."""
    locked = [sources.requirement(name) for name in (*PURE, *NATIVE)]

    def build(folder: Path, log: Path) -> None:
        site, wheels = folder / "site", folder / "wheels"
        site.mkdir()
        wheels.mkdir()
        sources.distributions(PURE, wheels, log, source=False)
        sources.distributions(NATIVE, wheels, log, source=True)
        for wheel in sorted(wheels.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(site)
        for source in sorted(wheels.glob("*.tar.gz")):
            sources.unpack(source, folder / source.name.rsplit("-", 1)[0], log)
        for name, package in NATIVE.items():
            shutil.copytree(folder / name / package, site / name)
            info = site / f"{name}-{sources.version_of(name)}.dist-info"
            info.mkdir()
            shutil.copy(folder / name / "PKG-INFO", info / "METADATA")

    return Stage("libraries", [*locked, repr(NATIVE)], build)


def cryptography(ssl: Stage, python: Stage, code: Stage) -> Stage:
    """cryptography's Rust core and cffi's backend, to be linked in."""
    rust = output(["rustc", "--version"]).strip()
    target = f"{platform.machine()}-unknown-linux-gnu"
    profile = {
        "CARGO_ENCODED_RUSTFLAGS": "-Crelocation-model=static\x1f-Ctarget-feature=+crt-static",
        f"CFLAGS_{target.replace('-', '_')}": CFLAGS,
        # "0": libcrypto is linked once, by us, for all.
        "OPENSSL_STATIC": "0",
        "CRYPTOGRAPHY_BUILD_OPENSSL_NO_LEGACY": "1",
        "CARGO_PROFILE_RELEASE_LTO": "fat",
        "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "1",
        "CARGO_PROFILE_RELEASE_OPT_LEVEL": "s",
    }
    backend = [*CFLAGS.split(), "-fwrapv", "-DNDEBUG", "-DUSE__THREAD", "-DHAVE_SYNC_SYNCHRONIZE"]
    backend += ["-DFFI_BUILDING=1", "-w"]
    # PyO3 is told about the interpreter, for it cannot run the one that is being made.
    settings = (
        f"implementation=CPython\nversion={PYTHON}\nshared=false\nabi3=false\npointer_width=64\n"
        "build_flags=\nsuppress_build_script_link_lines=true\n"
    )
    inputs = [ssl.key, python.key, code.key, rust, settings, machine()]
    inputs += [*backend, *profile, *profile.values()]
    inputs += [_code(Path(str(module.__file__)).read_text()) for module in (dwarf, layouts)]

    def build(folder: Path, log: Path) -> None:
        source, headers = python.folder / "source", python.folder / "build"
        includes = [f"-I{source}/Include", f"-I{headers}"]
        backend_c, backend_o = code.folder / "cffi/src/c/_cffi_backend.c", folder / "cffi_backend.o"
        run(["gcc", "-c", *backend, *includes, backend_c, "-o", backend_o], log=log)
        (folder / "pyo3.cfg").write_text(settings)
        env = {
            **profile,
            "PYO3_CONFIG_FILE": f"{folder}/pyo3.cfg",
            # It runs cffi's generator of C code, which any Python can.
            "PYO3_PYTHON": sys.executable,
            "PYO3_CROSS_LIB_DIR": f"{python.folder}/{PYTHON_LIB}",
            "OPENSSL_LIB_DIR": f"{ssl.folder}/usr/lib",
            "OPENSSL_INCLUDE_DIR": f"{ssl.folder}/usr/include",
            "CARGO_TARGET_DIR": f"{folder}/target",
        }
        # The places of sources go into messages of panics: not those of this machine.
        crates = os.environ.get("CARGO_HOME") or Path.home() / ".cargo"
        for place, name in ((crates, "/cargo"), (code.folder, "/source"), (folder, "/build")):
            env["CARGO_ENCODED_RUSTFLAGS"] += f"\x1f--remap-path-prefix={place}={name}"
        words = ["cargo", "rustc", "--release", "--locked", f"-j{JOBS}", "-p", "cryptography-rust"]
        words += ["--target", target, "--crate-type", "staticlib"]
        # With debug information, by which the snapshot's audit tells fields from padding (snapshot/layouts.py).
        run(
            [*words, "--", "-C", "debuginfo=2"],
            cwd=code.folder / "cryptography",
            log=log,
            env=env,
        )
        built = folder / "target" / target / "release" / "libcryptography_rust.a"
        objects = folder / "target" / "objects"
        objects.mkdir()
        run(["ar", "x", built], cwd=objects, log=log)
        own = sorted(objects.glob("cryptography_rust-*.o"))
        layouts.read(*(path.read_bytes() for path in own)).save(folder / LAYOUTS)
        run(["strip", "--strip-debug", "-o", folder / built.name, built], log=log)
        shutil.rmtree(folder / "target")

    return Stage("cryptography", inputs, build)


#: What must be built in; configure leaves a module out silently when it does not find its library.
NEEDED = (
    "_ssl",
    "_hashlib",
    "_sqlite3",
    "_lzma",
    "_bz2",
    "_curses",
    "_ctypes",
    "zlib",
    "_uuid",
    "_decimal",
)


def _same_addresses() -> list[str]:
    """What starts a program without address randomization, which a profile shows; nothing where it is forbidden."""
    command = ["setarch", "--addr-no-randomize"]
    try:
        output([*command, "true"])
    except BuildError:
        return []
    return command


def _check_modules(work: Path) -> None:
    code = "import sys; print(*sys.builtin_module_names)"
    there = output([work / "python", "-I", "-S", "-c", code]).split()
    missing = [name for name in NEEDED if name not in there]
    if missing:
        raise BuildError(
            f"CPython was built without {', '.join(missing)}: their libraries' development packages are"
            " missing (`./dev doctor`)"
        )
    if "readline" in there:
        raise BuildError("CPython was built with readline, which is under the GPL")
