"""Requirements -> lock -> folder, for the box's Python, with an index of wheels made here.

Breaks when markers are evaluated for the developer's Python, when a lock does not hold, when an older version is taken
because it is pure, or when an error is not one line with its cure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from snakeroot import native, programs, reach, resolve, runtime, shared
from snakeroot.host import BuildError
from snakeroot.resolve import Python, Wanted

from tests.packaging.snakeroot.wheelhouse import LIBRARY, Index

#: Another one than the tests run in, or so these tests could not fail.
BOX = Python("3.13.5" if sys.version_info[:2] != (3, 13) else "3.14.1")
CP = f"cp{BOX.series.replace('.', '')}"
NATIVE_TAG = f"{CP}-{CP}-manylinux_2_17_x86_64"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    monkeypatch.setattr(shared, "version", lambda: (2, 36))
    monkeypatch.setattr(shared.platform, "machine", lambda: "x86_64")
    return Index(tmp_path / "index", monkeypatch)


def wanted(folder: Path, *lines: str) -> Wanted:
    folder.mkdir(exist_ok=True)
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))
    return Wanted(folder / "pylock.toml", folder / "requirements.txt")


def locked(one: Wanted) -> dict[str, str]:
    return resolve.locked(one.lock)


def installed(one: Wanted, folder: Path) -> dict[str, native.Package]:
    resolve.lock(one, BOX)
    resolve.install(one, BOX, folder)
    return native.packages(folder)


def test_markers_are_those_of_the_box(index: Index, tmp_path: Path) -> None:
    """pip would leave out what only the box's Python needs."""
    for name in ("tool", "cgi", "backport", "windows", "arm"):
        index.wheel(name)
    index.wheel(
        "tool",
        requires=(
            f"cgi; python_version >= '{BOX.series}'",
            f"backport; python_version < '{BOX.series}'",
            "windows; sys_platform == 'win32'",
            "arm; platform_machine == 'aarch64'",
        ),
    )
    one = wanted(tmp_path / "hello", "tool")
    assert installed(one, tmp_path / "out").keys() == {"tool", "cgi"}


def test_the_newest_version_though_an_older_one_is_pure(index: Index, tmp_path: Path) -> None:
    index.wheel("fast", "1.0")
    index.wheel("fast", "2.0", tag=NATIVE_TAG, files={"fast.so": LIBRARY})
    one = wanted(tmp_path / "hello", "fast")
    found = installed(one, tmp_path / "out")
    assert (found["fast"].version, found["fast"].native) == ("2.0", ["fast.so"])


def test_a_lock_holds_until_the_requirements_change(index: Index, tmp_path: Path) -> None:
    index.wheel("tool", "1.0")
    index.wheel("other", "1.0")
    one = wanted(tmp_path / "hello", "tool")
    resolve.lock(one, BOX)
    first = one.lock.read_text()
    index.wheel("tool", "1.1")
    resolve.lock(one, BOX)
    assert one.lock.read_text() == first
    wanted(tmp_path / "hello", "tool", "other")
    resolve.lock(one, BOX)
    assert locked(one) == {"tool": "1.0", "other": "1.0"}, "what was locked stays where it may"
    wanted(tmp_path / "hello", "tool>1.0", "other")
    resolve.lock(one, BOX)
    assert locked(one) == {"tool": "1.1", "other": "1.0"}
    index.wheel("other", "1.2")
    resolve.lock(one, BOX, renew=True)
    assert locked(one) == {"tool": "1.1", "other": "1.2"}
    assert list((tmp_path / "hello").glob("pylock.*.toml")) == []


def test_included_files_are_requirements_too(index: Index, tmp_path: Path) -> None:
    index.wheel("tool", "1.0")
    index.wheel("tool", "1.1")
    one = wanted(tmp_path / "hello", "-r more.txt")
    (tmp_path / "hello" / "more.txt").write_text("tool<1.1\n")
    resolve.lock(one, BOX)
    assert locked(one) == {"tool": "1.0"}
    assert resolve.lines(tmp_path / "hello" / "requirements.txt") == ["tool<1.1"]
    (tmp_path / "hello" / "more.txt").write_text("tool\n")
    resolve.lock(one, BOX)
    assert set(locked(one)) == {"tool"}


def test_a_lock_of_another_tool_is_not_replaced(index: Index, tmp_path: Path) -> None:
    index.wheel("tool")
    one = wanted(tmp_path / "hello", "tool")
    one.lock.write_text('lock-version = "1.0"\ncreated-by = "other"\npackages = []\n')
    with pytest.raises(BuildError, match="was written by another tool") as caught:
        resolve.lock(one, BOX)
    assert caught.value.hint
    assert "other" in one.lock.read_text()


def test_a_local_wheel_and_an_extra(index: Index, tmp_path: Path) -> None:
    path = index.wheel("own")
    index.wheel("dep")
    (tmp_path / "hello").mkdir()
    path.rename(tmp_path / "hello" / path.name)
    index.wheel("tool")
    index.wheel("tool", requires=("dep; extra == 'more'",))
    one = wanted(tmp_path / "hello", f"./{path.name}", "tool[more]")
    assert installed(one, tmp_path / "out").keys() == {"own", "tool", "dep"}


WRONG = [
    ("nothing-of-this-name", "nothing-of-this-name: the package index has no such package"),
    ("tool>=9", "tool>=9 does not exist: there is only tool<=1.1"),
    ("tool==1.0\ntool==1.1", "you require tool==1.0 and tool==1.1"),
    ("tool=>1", 'no requirement: no such comparison operator "=>"'),
    ("./none-1.0-py3-none-any.whl", "/hello/none-1.0-py3-none-any.whl: no such file"),
    ("older", f"older 1.0 has no wheel for CPython {BOX.series}"),
    ("newer", "newer 1.0 needs the C library 2.99, and the box has 2.36"),
    (
        "foreign",
        "foreign 1.0 has wheels for manylinux_2_17_aarch64, and none for x86_64 with the C",
    ),
    (
        "source",
        f"source 1.0 has no wheel for CPython {BOX.series} on x86_64, and its source needs a",
    ),
]


@pytest.mark.parametrize(("requirement", "words"), WRONG)
def test_an_error_is_one_line_that_names_the_requirement(
    index: Index, tmp_path: Path, requirement: str, words: str
) -> None:
    index.wheel("tool", "1.0")
    index.wheel("tool", "1.1")
    index.wheel("older", tag="cp39-cp39-manylinux_2_17_x86_64")
    index.wheel("newer", tag=f"{CP}-{CP}-manylinux_2_99_x86_64")
    index.wheel("foreign", tag=f"{CP}-{CP}-manylinux_2_17_aarch64")
    index.archive("source", needs_compiler=True)
    one = wanted(tmp_path / "hello", *requirement.splitlines())
    with pytest.raises(BuildError) as caught:
        installed(one, tmp_path / "out")
    said = str(caught.value)
    assert words in said
    assert said.startswith(f"{tmp_path}/hello/requirements.txt: ")
    assert "\n" not in said
    assert caught.value.hint
    assert not list((tmp_path / "hello").glob("pylock.part*"))


#: What uv says of packages of an index: it knows more of them than of files in a folder.
SAID = [
    (
        """error: No solution found when resolving dependencies
  cause: Because tensorflow==2.15.0 has no wheels with a matching Python ABI tag (e.g., `cp313`) and you require
         tensorflow==2.15.0, we can conclude that your requirements are unsatisfiable.

hint: You require CPython 3.13 (`cp313`), but we only found wheels for `tensorflow` (v2.15.0) with the following Python
 ABI tags: `cp39`, `cp310`, `cp311`""",
        f"tensorflow 2.15.0 has no wheel for CPython {BOX.series}, only for cp39, cp310, cp311",
    ),
    (
        """error: No solution found when resolving dependencies
  cause: Because onnxruntime<=1.19.2 has no wheels with a matching Python ABI tag (e.g., `cp313`) and [...]
         And because onnxruntime>=1.20.0 has no wheels with a matching platform tag (e.g., `manylinux_2_17_x86_64`) and
         you require onnxruntime, we can conclude that your requirements are unsatisfiable.

hint: Wheels are available for `onnxruntime` (v1.32.0) on the following platforms: `manylinux_2_98_aarch64`,
 `manylinux_2_99_x86_64`, `win_amd64`

hint: You require CPython 3.13 (`cp313`), but we only found wheels for `onnxruntime` (v1.19.2) with the following Python
 ABI tags: `cp38`, `cp39`""",
        "onnxruntime 1.32.0 needs the C library 2.99, and the box has 2.36",
    ),
    (
        """error: No solution found when resolving dependencies
  cause: [...]
hint: Wheels are available for `pywin32` (v312) on the following platforms: `win32`, `win_amd64`""",
        "pywin32 312 has wheels for win32, win_amd64, and none for x86_64 with the C library 2.36",
    ),
]


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(("said", "words"), SAID)
def test_what_uv_says_of_wheels(said: str, words: str) -> None:
    text, hint = resolve.explained(said, BOX)
    assert text == words
    assert hint


# -- without a compiler ------------------------------------------------------------------------------------


def test_an_optional_compiled_part_is_left_out(index: Index, tmp_path: Path) -> None:
    """Its wheel is named after the Python that built it, with nothing compiled in it."""
    index.archive("quick")
    index.wheel("quick", tag=NATIVE_TAG, files={"quick.py": "", "_quick.so": LIBRARY})
    index.archive("slow", needs_compiler=True)
    index.wheel("slow", tag=NATIVE_TAG, files={"_slow.so": LIBRARY})
    one = wanted(tmp_path / "hello", "quick", "slow")
    found = installed(one, tmp_path / "out")
    assert {name for name in found if found[name].native} == {"quick", "slow"}
    for _ in range(2):  # the second time from the cache
        built = resolve.without_compiler("quick", "1.0", one.lock)
        assert built is not None
        assert list(native.libraries(built)) == []
        assert native.packages(built)["quick"].version == "1.0"
        assert resolve.without_compiler("slow", "1.0", one.lock) is None


# -- which Python ------------------------------------------------------------------------------------------


def folder_of(index: Index, folder: Path, *names: str) -> Path:
    installed(wanted(folder.with_name("asked"), *names), folder)
    return folder


def test_pure_packages_are_static(index: Index, tmp_path: Path) -> None:
    index.wheel("tool")
    folder = folder_of(index, tmp_path / "out", "tool")
    choice = runtime.choose(folder, "auto", (), [], lambda package: None)
    assert (choice.runtime, choice.why, choice.dropped) == ("static", "", [])
    asked = runtime.choose(folder, "dynamic", (), [], lambda package: None)
    assert (asked.runtime, asked.why) == ("dynamic", 'runtime = "dynamic" in snakeroot.toml')


def test_ctypes_asks_for_the_dynamic_program(index: Index, tmp_path: Path) -> None:
    index.wheel("tool")
    folder = folder_of(index, tmp_path / "out", "tool")
    calls = [("tool.py", "CDLL")]
    choice = runtime.choose(folder, "auto", (), calls, lambda package: None)
    assert (choice.runtime, choice.why) == ("dynamic", "ctypes in tool.py")
    assert runtime.choose(folder, "static", (), calls, lambda package: None).runtime == "static"


@pytest.mark.parametrize("generator", ["setuptools (80)", "maturin (1.9)"])
def test_a_compiled_package_asks_for_the_dynamic_program(
    index: Index, tmp_path: Path, generator: str
) -> None:
    index.wheel("fast", tag=NATIVE_TAG, files={"fast/_c.so": LIBRARY}, generator=generator)
    folder = folder_of(index, tmp_path / "out", "fast")
    tried: list[str] = []

    def build(package: native.Package) -> Path | None:
        tried.append(package.name)
        return None

    choice = runtime.choose(folder, "auto", (), [], build)
    assert (choice.runtime, choice.why) == ("dynamic", "fast/_c.so")
    assert tried == ([] if "maturin" in generator else ["fast"]), "some cannot be built otherwise"
    with pytest.raises(BuildError, match=r"fast/_c\.so of fast 1\.0 is a shared") as caught:
        runtime.choose(folder, "static", (), [], build)
    assert 'runtime = "auto"' in caught.value.hint
    frozen = runtime.choose(folder, "auto", {"fast"}, [], build)
    assert (frozen.runtime, [one.name for one in frozen.dropped]) == ("static", ["fast"])


def test_all_compiled_parts_must_be_optional(index: Index, tmp_path: Path) -> None:
    index.wheel("quick", tag=NATIVE_TAG, files={"_quick.so": LIBRARY})
    index.wheel("slow", tag=NATIVE_TAG, files={"_slow.so": LIBRARY})
    folder = folder_of(index, tmp_path / "out", "quick", "slow")
    (pure := tmp_path / "pure").mkdir()
    both = runtime.choose(folder, "auto", (), [], lambda package: pure)
    assert (both.runtime, both.why) == ("static", "without the compiled part of quick, slow")
    assert both.pure == {"quick": pure, "slow": pure}
    built = {"quick": pure, "slow": None}
    one = runtime.choose(folder, "auto", (), [], lambda package: built[package.name])
    assert (one.runtime, one.why, one.dropped, one.pure) == ("dynamic", "_slow.so", [], {})


def test_a_shared_library_of_the_programs_own(tmp_path: Path) -> None:
    (tmp_path / "libown.so.1").write_bytes(LIBRARY)
    (tmp_path / "notes.so.txt").write_text("no library")
    assert list(native.libraries(tmp_path)) == ["libown.so.1"]
    choice = runtime.choose(tmp_path, "auto", (), [], lambda package: None)
    assert (choice.runtime, choice.why) == ("dynamic", "libown.so.1")


@pytest.mark.parametrize(
    ("name", "machine", "words"),
    [
        ("x.so", 62, ""),
        ("x.abi3.so", 62, ""),
        ("x.cpython-313-x86_64-linux-gnu.so", 62, ""),
        ("x.cpython-311-x86_64-linux-gnu.so", 62, "is for CPython 3.11, and the box has 3.13"),
        ("x.so", 183, "is for another machine"),
    ],
)
def test_shared_libraries_that_the_box_cannot_load(
    tmp_path: Path, name: str, machine: int, words: str
) -> None:
    (tmp_path / name).write_bytes(LIBRARY)
    assert native.problem(tmp_path, name, machine, "3.13") == words


def test_what_is_frozen_in_counts_as_installed_where_its_version_is_wanted(
    index: Index, tmp_path: Path
) -> None:
    for name in ("h11", "cryptography", "cffi"):
        index.wheel(name, "9.0")
    index.wheel(
        "tool",
        requires=("h11>=1", "cryptography>=8; python_version >= '3'", "cffi>7; os_name == 'nt'"),
    )
    folder = folder_of(index, tmp_path / "out", "tool", "cffi")
    shipped = {"h11": "1.5", "cryptography": "7.0", "cffi": "5.0", "asyncssh": "2.0"}
    found = native.packages(folder)
    assert native.satisfied(found, ["tool", "cffi"], shipped, BOX.version) == {"h11", "cffi"}
    assert native.satisfied(found, ["tool", "cffi==9.0"], shipped, BOX.version) == {"h11"}


def test_a_package_is_removed_with_all_that_it_brought(index: Index, tmp_path: Path) -> None:
    index.wheel("tool", files={"tool/a/b.py": "", "shared/tool.py": ""})
    index.wheel("other", files={"shared/other.py": ""})
    folder = folder_of(index, tmp_path / "out", "tool", "other")
    native.remove(folder, native.packages(folder)["tool"])
    assert sorted(p.name for p in folder.iterdir() if p.name != ".lock") == [
        "other-1.0.dist-info",
        "shared",
    ]
    assert [p.name for p in (folder / "shared").iterdir()] == ["other.py"]


# -- ctypes, by reading ------------------------------------------------------------------------------------

REACHED = [
    ("import ctypes\nlib = ctypes.CDLL(None)", "CDLL"),
    (
        "def f():\n    from ctypes.util import find_library\n    return find_library('c')",
        "find_library",
    ),
    ("from ctypes import cdll\ncdll.LoadLibrary('libc.so.6')", "LoadLibrary"),
    ("from ctypes import cdll\nprint(cdll.libc)", "cdll"),
    ("import cffi\ncffi.FFI().dlopen(None)", "dlopen"),
    ("import ctypes\nctypes.pythonapi.Py_IncRef", "pythonapi"),
    ("import ctypes, os\nif os.name != 'nt':\n    ctypes.CDLL(None)", "CDLL"),
    ("import ctypes, sys\nif sys.platform in ('linux', 'darwin'):\n    ctypes.CDLL(None)", "CDLL"),
    ("import ctypes, sys\nx = ctypes.CDLL(None) if sys.platform != 'win32' else 0", "CDLL"),
    ("import ctypes, sys\nif sys.platform == 'win32':\n    ctypes.CDLL('x.dll')", ""),
    (
        "import ctypes, sys\nif sys.platform.startswith(('win', 'cygwin')):\n    ctypes.CDLL('x')",
        "",
    ),
    ("import ctypes, os\nif os.name == 'nt' and x:\n    ctypes.CDLL('x')", ""),
    (
        "import ctypes, platform\nif platform.system().lower() == 'darwin':\n    ctypes.CDLL('x')",
        "",
    ),
    ("import ctypes\nctypes.c_int(1)", ""),
    (
        "try:\n    import ctypes\nexcept ImportError:\n    ctypes = None\nif ctypes:\n    ctypes.CDLL(None)",
        "",
    ),
    ("class CDLL: pass\nCDLL()", ""),
    (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ctypes import CDLL\n    CDLL(None)",
        "",
    ),
    ("import ctypes\nthis is no Python", ""),
]


@pytest.mark.parametrize(("code", "call"), REACHED)
def test_what_reaches_the_c_library(tmp_path: Path, code: str, call: str) -> None:
    (tmp_path / "hello.py").write_text(code)
    assert reach.reach(str(tmp_path), ["hello"]) == ([("hello.py", call)] if call else [])


def test_imports_are_followed(tmp_path: Path) -> None:
    """And what nothing imports does not count: Django has such a module."""
    files = {
        "hello.py": "from pkg.sub import one\nimport json",
        "pkg/__init__.py": "from .other import *",
        "pkg/other.py": "import pkg\nfrom . import third as x",
        "pkg/third.py": "import ctypes; ctypes.CDLL(None)",
        "pkg/sub/__init__.py": "",
        "pkg/sub/one.py": "from ..deep.er import f",
        "pkg/deep/er.py": "import ctypes; ctypes.CDLL(None)",
        "pkg/unused.py": "import ctypes; ctypes.CDLL(None)",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = {file for file, _ in reach.reach(str(tmp_path), ["hello"])}
    assert found == {"pkg/third.py", "pkg/deep/er.py"}
    script = subprocess.check_output([sys.executable, reach.__file__, tmp_path, "pkg.unused"])
    assert ["pkg/unused.py", "CDLL"] in json.loads(script)


@pytest.mark.parametrize(
    ("word", "module"),
    [
        ("app:main", "app"),
        ("site.wsgi", "site.wsgi"),
        ("a:make()", "a"),
        ("--bind", None),
        ("1.2", None),
    ],
)
def test_what_a_server_is_told_to_serve_is_read_too(word: str, module: str | None) -> None:
    match = programs.SERVED.fullmatch(word)
    assert (match and match[1]) == module
