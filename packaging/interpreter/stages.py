"""The parts that take minutes: OpenSSL, CPython, cryptography.  Each is built once for its inputs.

A stage's folder in the cache is named by the hash of all that goes into it: pins, flags, the compilers, the
stages before it.  A file `complete`, written last, tells a finished one from one that was interrupted.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from interpreter import sources
from interpreter.workshop import BuildError, cache, output, run

#: Code that the linker can drop when unused, at fixed addresses; no unwind tables for C.
CFLAGS = "-O2 -g0 -fno-pie -ffunction-sections -fdata-sections"

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
]

#: Distributions of pure Python inside the frozen program, and those with native parts, built by us.
PURE = ["asyncssh", "dnslib", "h11", "ntplib", "prompt_toolkit", "typing_extensions"]
NATIVE = ["cffi", "cryptography", "wcwidth"]

JOBS = str(os.cpu_count() or 1)


class Stage:
    """A built part: its folder, and the key that names all that went into it."""

    def __init__(self, name: str, inputs: list[str], build: Callable[[Path, Path], None]) -> None:
        self.name = name
        self.key = hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:20]
        self.folder = cache() / "interpreter" / f"{name}-{self.key}"
        self._build = build

    @property
    def complete(self) -> bool:
        """Whether it has been built."""
        return (self.folder / "complete").exists()

    def make(self, log: Path) -> None:
        """Build it unless it is complete.  Two builders at once: the second waits for the first."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.complete:
                return
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir()
            self._build(self.folder, log)
            (self.folder / "complete").touch()


def compiler() -> str:
    """What identifies the C compiler, its library and the machine."""
    version = output(["gcc", "-dumpfullversion"]).strip()
    return f"gcc {version} {platform.machine()} {platform.libc_ver()[1]}"


def openssl(log: Path) -> Stage:
    """libssl.a and libcrypto.a, with headers."""
    pin, archive = sources.archive("openssl", log)
    target = {"x86_64": "linux-x86_64", "aarch64": "linux-aarch64"}[platform.machine()]
    options = [*OPENSSL_OPTIONS, "enable-ec_nistp_64_gcc_128"]

    def build(folder: Path, log: Path) -> None:
        source = folder / "source"
        sources.unpack(archive, source, log)
        configure = [f"--prefix={folder}", "--libdir=lib", "--openssldir=/etc/ssl", *options]
        run(["./Configure", target, *configure, *CFLAGS.split(), "-fno-pic"], cwd=source, log=log)
        run(["make", f"-j{JOBS}", "build_libs"], cwd=source, log=log)
        run(["make", "install_dev"], cwd=source, log=log)
        shutil.rmtree(source)

    return Stage("openssl", [pin.sha256, target, CFLAGS, *options, compiler()], build)


def cpython(ssl: Stage, log: Path) -> Stage:
    """libpython with every extension module of the standard library inside, and a python that freezes."""
    pin, archive = sources.archive("cpython", log)
    flags = {
        "CFLAGS": f"{CFLAGS} -fno-asynchronous-unwind-tables -fno-unwind-tables",
        "OPT": "-DNDEBUG -O2 -g0 -fwrapv",
        "LDFLAGS": "-static -no-pie -Wl,--gc-sections",
        "LINKFORSHARED": " ",
        # Debian's sqlite3.pc does not name what its static library needs.
        "LIBSQLITE3_CFLAGS": "-I/usr/include",
        "LIBSQLITE3_LIBS": "-lsqlite3 -lm -lz -ldl -lpthread",
    }
    inputs = [pin.sha256, ssl.key, compiler(), *CPYTHON_OPTIONS, *flags, *flags.values()]

    def build(folder: Path, log: Path) -> None:
        source, work = folder / "source", folder / "build"
        sources.unpack(archive, source, log)
        work.mkdir()
        words = [*CPYTHON_OPTIONS, f"--with-openssl={ssl.folder}"]
        words += [f"{name}={value}" for name, value in flags.items()]
        # This makes Setup.stdlib say *static*: every module becomes a built-in one.
        static = {"MODULE_BUILDTYPE": "static"}
        run([source / "configure", *words], cwd=work, log=log, env=static)
        run(["make", f"-j{JOBS}"], cwd=work, log=log)
        run(["make", "inclinstall", f"DESTDIR={folder}/home"], cwd=work, log=log)
        (folder / "home/usr/lib/python3.13").mkdir(parents=True, exist_ok=True)
        _check_modules(work)
        for path in work.rglob("*.o"):
            path.unlink()  # libpython holds them; the cache need not
        (folder / "version").write_text(pin.version)

    return Stage("cpython", inputs, build)


def libraries(log: Path) -> Stage:
    """The Python code of the distributions inside, and the source of cffi's and cryptography's native parts."""
    locked = [sources.requirement(name) for name in (*PURE, *NATIVE)]

    def build(folder: Path, log: Path) -> None:
        site, wheels = folder / "site", folder / "wheels"
        site.mkdir()
        wheels.mkdir()
        python = Path(sys.executable)
        sources.distributions(PURE, wheels, python, log, source=False)
        sources.distributions(NATIVE, wheels, python, log, source=True)
        for wheel in sorted(wheels.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(site)
        for source in sorted(wheels.glob("*.tar.gz")):
            sources.unpack(source, folder / source.name.rsplit("-", 1)[0], log)
        shutil.copytree(folder / "cryptography/src/cryptography", site / "cryptography")
        shutil.copytree(folder / "wcwidth/wcwidth", site / "wcwidth")
        for name in ("cryptography", "wcwidth"):
            info = site / f"{name}-{sources.version_of(name)}.dist-info"
            info.mkdir()
            shutil.copy(folder / name / "PKG-INFO", info / "METADATA")

    return Stage("libraries", locked, build)


def cryptography(ssl: Stage, python: Stage, code: Stage, log: Path) -> Stage:
    """cryptography's Rust core and cffi's backend, to be linked in."""
    rust = output(["rustc", "--version"]).strip()
    target = f"{platform.machine()}-unknown-linux-gnu"
    inputs = [ssl.key, python.key, code.key, rust, target, CFLAGS, compiler()]

    def build(folder: Path, log: Path) -> None:
        source, headers = python.folder / "source", python.folder / "build"
        run(
            [
                *("gcc", "-c", *CFLAGS.split(), "-fwrapv", "-DNDEBUG", "-DUSE__THREAD", "-w"),
                *("-DHAVE_SYNC_SYNCHRONIZE", "-DFFI_BUILDING=1", f"-I{source}/Include"),
                *(f"-I{headers}", code.folder / "cffi/src/c/_cffi_backend.c"),
                *("-o", folder / "cffi_backend.o"),
            ],
            log=log,
        )
        settings = folder / "pyo3.cfg"
        settings.write_text(
            "implementation=CPython\nversion=3.13\nshared=false\nabi3=false\npointer_width=64\n"
            "build_flags=\nsuppress_build_script_link_lines=true\n"
        )
        run(
            [
                *(
                    "cargo",
                    "rustc",
                    "--release",
                    "--locked",
                    f"-j{JOBS}",
                    "-p",
                    "cryptography-rust",
                ),
                *("--target", target, "--crate-type", "staticlib"),
            ],
            cwd=code.folder / "cryptography",
            log=log,
            env={
                "PYO3_CONFIG_FILE": str(settings),
                # It runs cffi's generator of C code, which any Python can.
                "PYO3_PYTHON": sys.executable,
                "PYO3_CROSS_LIB_DIR": f"{python.folder}/home/usr/lib/python3.13",
                # "0": libcrypto is linked once, by us, for all.
                "OPENSSL_STATIC": "0",
                "OPENSSL_LIB_DIR": f"{ssl.folder}/lib",
                "OPENSSL_INCLUDE_DIR": f"{ssl.folder}/include",
                "CRYPTOGRAPHY_BUILD_OPENSSL_NO_LEGACY": "1",
                "RUSTFLAGS": "-C relocation-model=static -C target-feature=+crt-static",
                f"CFLAGS_{target.replace('-', '_')}": CFLAGS,
                "CARGO_TARGET_DIR": f"{folder}/target",
                "CARGO_PROFILE_RELEASE_LTO": "fat",
                "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "1",
                "CARGO_PROFILE_RELEASE_OPT_LEVEL": "s",
            },
        )
        built = folder / "target" / target / "release" / "libcryptography_rust.a"
        shutil.move(built, folder / built.name)
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
