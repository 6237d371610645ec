"""build/toolbox-dynamic: the frozen program that loads compiled modules.

These break when it needs another library than the C library's and the compiler's, lets wheels see names of other
libraries inside it, lacks a function of the C API, or forgets how it is started again.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "build/toolbox-dynamic"

#: What a module of C and Python's C API need: nothing that a box would have to have besides.
ALLOWED = {
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
}

Run = Callable[..., str]


@pytest.fixture(scope="module")
def run() -> Run:
    """Run Python code in the program, with PYTHONPATH set to the given folder; returns its output."""
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM} is not there: ./dev build makes it")

    def run(code: str, *, path: Path | str = "") -> str:
        done = subprocess.run(
            [PROGRAM, "python", "-c", code],
            env={"PYTHONPATH": str(path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the newest numpy and orjson, as they are."""
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run(
        [
            *(Path(sys.executable).with_name("uv"), "pip", "install", "--quiet"),
            *("--target", folder, "--python-version", "3.13", "--only-binary", ":all:"),
            *("numpy", "orjson"),
        ],
        check=True,
        timeout=300,
    )
    return folder


def test_needs_the_c_library_alone(run: Run) -> None:
    said = subprocess.check_output(["readelf", "--dynamic", "--wide", PROGRAM], text=True)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", said))
    assert "libc.so.6" in needed
    assert needed <= ALLOWED


def test_exports_names_of_cpython_alone(run: Run) -> None:
    """A wheel with its own OpenSSL, zlib or SQLite must not be given ours."""
    said = subprocess.check_output(["nm", "-D", "--defined-only", PROGRAM], text=True)
    names = {line.split()[-1] for line in said.splitlines()}
    # Data of the C library that the program uses lies in the program: a copy relocation.
    own = {name for name in names if "@GLIBC" not in name}
    assert {"PyModuleDef_Init", "PyType_Ready", "_PyByteArray_empty_string"} <= own
    assert [name for name in own if not re.match("_?Py", name)] == []


def test_exports_the_whole_stable_interface(run: Run) -> None:
    """What abi3 wheels may use, as the headers of limited API list it for this Python."""
    from interpreter import stages

    said = subprocess.check_output(["nm", "-D", "--defined-only", PROGRAM], text=True)
    exported = {line.split()[-1] for line in said.splitlines()}
    made = stages.every(ROOT / "build/log/test-dynamic.log")
    listed = (made.python.folder / "source/Misc/stable_abi.toml").read_text()
    functions = set(re.findall(r"^\[(?:function|data)\.(\w+)\]", listed, re.MULTILINE))
    assert len(functions) > 800
    assert [name for name in sorted(functions - exported) if not _elsewhere(listed, name)] == []


def _elsewhere(listed: str, name: str) -> bool:
    """Whether a function is there only on other systems or in other builds."""
    entry = listed.partition(f"[function.{name}]\n")[2] or listed.partition(f"[data.{name}]\n")[2]
    return "ifdef" in entry.partition("\n[")[0]


def test_numpy_and_orjson(run: Run, wheels: Path) -> None:
    code = """
import numpy, orjson, ssl
print(numpy.arange(6).reshape(2, 3).sum(axis=0).tolist(), numpy.linalg.det(numpy.eye(3)))
print(orjson.dumps({"a": [1, None]}), ssl.create_default_context().verify_mode.name)
"""
    assert run(code, path=wheels) == ("[3, 5, 7] 1.0\nb'{\"a\":[1,null]}' CERT_REQUIRED\n")


SPAWNED = """
import sys, orjson
def child(n):
    return sys.executable, orjson.dumps(n + 1)
if __name__ == "__main__":
    print(sys.executable)
"""


def test_starts_itself_again(run: Run, wheels: Path) -> None:
    """sys.executable is this program, for -c, -m and spawned processes, which see PYTHONPATH, too."""
    (wheels / "spawned.py").write_text(SPAWNED)
    code = """
import multiprocessing, spawned, subprocess, sys
own = sys.executable
for method in ("spawn", "forkserver"):
    with multiprocessing.get_context(method).Pool(1) as pool:
        print(pool.apply(spawned.child, (41,)) == (own, b"42"))
for words in (["-c", "import orjson, sys; print(sys.executable)"], ["-m", "spawned"]):
    print(subprocess.check_output([own, *words], text=True), end="")
"""
    assert run(code, path=wheels) == f"True\nTrue\n{PROGRAM}\n{PROGRAM}\n"


def test_hashes_are_random(run: Run) -> None:
    assert len({run("print(hash('snake'))") for _ in range(3)}) == 3


def test_c_library_by_ctypes(run: Run) -> None:
    """CDLL(None) has the C library's functions, and find_library finds its file without a compiler."""
    code = """
import ctypes, ctypes.util, os, sysconfig
print(ctypes.CDLL(None).getpid() == os.getpid())
print(ctypes.CDLL(ctypes.util.find_library("c")).getppid() == os.getppid())
print(ctypes.util.find_library("m"), ctypes.util.find_library("no-such-library"))
print(sysconfig.get_config_var("EXT_SUFFIX").startswith(".cpython-313"))
"""
    assert run(code) == "True\nTrue\nlibm.so.6 None\nTrue\n"
