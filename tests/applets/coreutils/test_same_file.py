"""cp, mv and ln where source and target are one file: by name, by `.` and `..`, by hard links, by symbolic links.

The oracle is GNU coreutils on this machine: what is there afterwards is compared, file by file, and whether it failed.
`OURS` has the cases in which GNU loses a file, or needs an older version's fault to be right, and says what is done here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolbox import multicall

#: name -> (kind, contents or target, age in seconds)
FILES = [
    ("f", "file", "data of f", 1_000_000),
    ("e", "file", "other", 2_000_000),
    ("f~", "file", "tilde", 3_000_000),
    ("e.~1~", "file", "numbered", 1),
    ("d/f", "file", "data of d/f", 500_000),
    ("g", "hard", "f", 0),
    ("d/e", "hard", "e", 0),
    ("s", "link", "f", 0),
    ("t", "link", "f", 0),
    ("ss", "link", "s", 0),
    ("d/s", "link", "../f", 0),
    ("dangling", "link", "nowhere", 0),
    ("loop", "link", "loop", 0),
    ("ld", "link", "d", 0),
    ("s2", "hard", "s", 0),
]

PAIRS = [
    *(("f", "f"), ("f", "./f"), ("d/../f", "f"), ("f", "g"), ("f", "s"), ("s", "f"), ("s", "t")),
    *(("s", "s"), ("s", "./s"), ("s", "s2"), ("f", "e"), ("e", "s"), ("s", "e"), ("f~", "f")),
    *(("f", "d"), ("e", "d"), ("dangling", "f"), ("f", "dangling"), ("dangling", "dangling")),
    *(
        ("loop", "f"),
        ("ss", "f"),
        ("ss", "s"),
        ("s", "ss"),
        ("d/s", "f"),
        ("f", "d/s"),
        ("s", "new"),
    ),
]

CP = [
    *("", "-f", "-u", "-i", "-a", "-P", "-RL", "-l", "-s", "-lf", "-al", "-b", "-ab", "-iu"),
    *(
        "--remove-destination",
        "--backup=numbered",
        "-a --attributes-only",
        "-a --remove-destination",
    ),
]
MV = ["", "-f", "-n", "-i", "-b", "--backup=numbered", "-T"]
LN = ["", "-f", "-s", "-sf", "-sbf", "-snf", "-Lf", "-rsf", "-i"]

#: (program, flags, source, target) -> why GNU's answer is not ours.  None stands for any.
LOSES = "the source is lost, and only then an error"
LOOP = "the link would lead to itself, and the file is lost"
OURS = {
    ("cp", "--remove-destination", "s", "s"): LOSES,
    ("cp", "--remove-destination", "s", "./s"): LOSES,
    ("cp", "--remove-destination", "ss", "s"): LOSES,
    ("cp", "-b", "ss", "s"): LOSES,
    ("cp", "--backup=numbered", "ss", "s"): LOSES,
    ("ln", None, "loop", "f"): "a loop is a target as any",
    **{
        ("ln", flags, source, target): LOOP
        for flags in ("-sf", "-snf")
        for source, target in (("s", "f"), ("ss", "f"), ("d/s", "f"), ("f", "d"), ("e", "d"))
    },
    **{
        ("ln", "-i", source, target): "as with -f: the same file is an error"
        for source, target in PAIRS
        if source.lstrip("./") == target.lstrip("./") or source == "d/../f"
    },
}


def make(folder: Path) -> None:
    """The files, anew."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "d").mkdir(parents=True)
    for name, kind, text, age in FILES:
        path = folder / name
        if kind == "file":
            path.write_text(text)
            os.utime(path, (age, age))
        elif kind == "link":
            path.symlink_to(text)
        else:
            os.link(folder / text, path, follow_symlinks=False)


def state(folder: Path) -> dict[str, tuple[str, str]]:
    """What is there: contents or target, and the first name of the same inode."""
    first: dict[int, str] = {}
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        inode = first.setdefault(path.lstat().st_ino, name)
        if path.is_symlink():
            text = f"-> {path.readlink()}"
        else:
            text = "directory" if path.is_dir() else path.read_text()
        found[name] = (text, inode)
    return found


def gnu(folder: Path, argv: list[str]) -> int:
    done = subprocess.run(
        argv, cwd=folder, input=b"y\ny\ny\n", capture_output=True, env={"LC_ALL": "C"}
    )
    return done.returncode


def ours(folder: Path, argv: list[str]) -> int:
    """One call in a fork of this process: a thousand starts of Python would take minutes."""
    pid = os.fork()
    if not pid:
        status = 125
        try:
            os.chdir(folder)
            reader, writer = os.pipe()
            os.write(writer, b"y\ny\ny\n")
            os.close(writer)
            os.dup2(reader, 0)
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            status = multicall.call(argv)
            sys.stdout.flush()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture(scope="session")
def coreutils() -> str:
    """The folder of GNU's programs."""
    found = shutil.which("cp", path="/usr/bin:/bin")
    assert found, "GNU coreutils is not here"
    version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
    assert "GNU coreutils" in version
    return os.path.dirname(found)


@pytest.mark.parametrize(
    ("name", "flags"), [(n, f) for n, all_ in (("cp", CP), ("mv", MV), ("ln", LN)) for f in all_]
)
def test_as_gnu(
    coreutils: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, flags: str
) -> None:
    different = []
    with capfd.disabled():
        for source, target in PAIRS:
            argv = [name, *flags.split(), source, target]
            results = []
            for call, program in ((gnu, f"{coreutils}/{name}"), (ours, name)):
                make(tmp_path / "files")
                failed = call(tmp_path / "files", [program, *argv[1:]]) != 0
                results.append((failed, state(tmp_path / "files")))
            known = any((name, f, source, target) in OURS for f in (flags, None))
            if results[0] != results[1] and not known:
                (theirs, there), (we, here) = results
                changed = {
                    k: (there.get(k), here.get(k))
                    for k in there.keys() | here.keys()
                    if there.get(k) != here.get(k)
                }
                different.append((" ".join(argv), "failed: GNU, we", theirs, we, changed))
    assert different == []


@pytest.mark.parametrize(
    ("name", "flags", "source", "target"), [k for k in OURS if k[1] is not None]
)
def test_where_gnu_loses_a_file_nothing_is_done(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    name: str,
    flags: str,
    source: str,
    target: str,
) -> None:
    make(tmp_path / "files")
    before = state(tmp_path / "files")
    with capfd.disabled():
        status = ours(tmp_path / "files", [name, *flags.split(), source, target])
    assert status == 1 and state(tmp_path / "files") == before


#: (argv, files before, files after, status, message): what is no question of GNU's version.
TABLE = [
    (["mv", "--backup=simple", "a~", "a"], {"a": "1", "a~": "2"}, None, 1, "might destroy source"),
    (["cp", "--backup=simple", "a~", "a"], {"a": "1", "a~": "2"}, None, 1, "might destroy source"),
    (["cp", "-b", "-S", ".o", "a.o", "a"], {"a": "1", "a.o": "2"}, None, 1, "might destroy source"),
    (["cp", "-fb", "a", "a"], {"a": "1"}, {"a": "1", "a~": "1"}, 0, ""),
    (["cp", "-i", "-u", "a", "b"], {"b": "2", "a": "1"}, None, 0, "overwrite"),
    (["cp", "-iu", "a", "b"], {"b": "2", "a": "1"}, None, 0, "overwrite"),
    (["cp", "-i", "--update=older", "a", "b"], {"b": "2", "a": "1"}, None, 0, "overwrite"),
    (["cp", "-i", "--update=all", "a", "b"], {"b": "2", "a": "1"}, None, 0, "overwrite"),
    (["cp", "-u", "a", "b"], {"b": "2", "a": "1"}, {"b": "1", "a": "1"}, 0, ""),
    (["cp", "-u", "a", "b"], {"a": "1", "b": "2"}, None, 0, ""),
    (["cp", "-n", "--update=all", "a", "b"], {"b": "2", "a": "1"}, None, 0, ""),
    (["cp", "--update=all", "-n", "a", "b"], {"b": "2", "a": "1"}, None, 0, ""),
    (["cp", "-n", "-u", "a", "b"], {"b": "2", "a": "1"}, None, 0, ""),
    (["cp", "-n", "-i", "a", "b"], {"b": "2", "a": "1"}, None, 0, "overwrite"),
    (["cp", "-i", "-n", "a", "b"], {"b": "2", "a": "1"}, None, 0, ""),
    (["cp", "--update=none", "a", "b"], {"b": "2", "a": "1"}, None, 0, ""),
    (["cp", "--update=none-fail", "a", "b"], {"b": "2", "a": "1"}, None, 1, "not replacing 'b'"),
    (["mv", "--update=none-fail", "a", "b"], {"b": "2", "a": "1"}, None, 1, "not replacing 'b'"),
    (["mv", "-n", "--update=all", "a", "b"], {"b": "2", "a": "1"}, None, 0, ""),
    (["mv", "-i", "-u", "a", "b"], {"b": "2", "a": "1"}, None, 0, "overwrite"),
    (["tee", "a"], {"a": "1"}, {"a": ""}, 0, ""),
    (["sort", "-o", "a", "a"], {"a": "2\n1\n"}, {"a": "1\n2\n"}, 0, ""),
    (["sort", "-o", "./a", "a"], {"a": "2\n1\n"}, {"a": "1\n2\n"}, 0, ""),
    (["sort", "-mo", "a", "a", "b"], {"a": "2\n", "b": "1\n"}, {"a": "1\n2\n", "b": "1\n"}, 0, ""),
]


@pytest.mark.parametrize(("argv", "files", "after", "status", "message"), TABLE)
def test_nothing_is_lost(
    run: Callable[..., Any],
    tmp_path: Path,
    argv: list[str],
    files: dict[str, str],
    after: dict[str, str] | None,
    status: int,
    message: str,
) -> None:
    """after: None: as before.  The first file is the oldest; questions are answered by the end of the input: no."""
    for age, (name, text) in enumerate(files.items(), 1000):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (age, age))
    done = run(*argv, cwd=tmp_path)
    assert done.status == status
    assert message.encode() in done.err and (message or not done.err)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == (
        files if after is None else after
    )


def test_a_link_that_cannot_be_made_costs_nothing(run: Callable[..., Any], tmp_path: Path) -> None:
    """-f replaces by rename(2): what stands in the place goes when its successor is there."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_text("kept")
    (tmp_path / "f").write_text("new")
    for words in (["-sf", "f", "d/f"], ["-sfb", "f", "d"]):
        done = run("cp", *words, cwd=tmp_path)
        assert done.status == 1 and (tmp_path / "d/f").read_text() == "kept"
    long = "x" * 255
    (tmp_path / long).write_text("old")
    assert run("ln", "-f", "f", long, cwd=tmp_path).status == 0
    assert (tmp_path / long).read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == sorted(["d", "f", long])


def test_a_directory_into_itself_ends(run: Callable[..., Any], tmp_path: Path) -> None:
    for number, words in enumerate(
        (["-R", ".", "d"], ["-R", "d", "d/sub"], ["-RL", "ld", "d"], ["-RL", "d", "d/new"])
    ):
        folder = tmp_path / str(number)
        (folder / "d/sub").mkdir(parents=True)
        (folder / "ld").symlink_to("d")
        done = run("cp", *words, cwd=folder)
        assert done.status == 1 and b"into itself" in done.err
    depth = max(len(p.relative_to(tmp_path).parts) for p in tmp_path.rglob("*"))
    assert depth < 9


def test_backups_within_trees_and_in_a_race(run: Callable[..., Any], tmp_path: Path) -> None:
    """Each file below is backed up, too; two at once never take one number."""
    for name in ("a", "b"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub/f").write_text(name)
    assert run("cp", "-a", "-b", "-T", "a", "b", cwd=tmp_path).status == 0
    assert (tmp_path / "b/sub/f").read_text() == "a"
    assert (tmp_path / "b/sub/f~").read_text() == "b"
    done = run("mv", "-T", "--backup=numbered", "a/", "b/", cwd=tmp_path)
    assert done.status == 0 and (tmp_path / "b.~1~/sub/f~").read_text() == "b"
    from toolbox.backups import Backups

    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(20):
        (folder / "x").write_text(str(number))
        assert Backups("numbered").make(str(folder / "x")) == str(folder / f"x.~{number + 1}~")


@pytest.mark.parametrize(
    "argv",
    [
        *(["mv", "-b", ".", "f"], ["mv", "-bu", "d/.", "f"], ["mv", "-bT", "d", "d/sub/x"]),
        *(["mv", "--backup=numbered", "-T", "d", "d/sub"], ["cp", "-b", "/proc/self/mem", "f"]),
        *(["cp", "-lb", "/proc/version", "f"], ["ln", "-b", "/proc/version", "f"]),
        *(["ln", "--backup=numbered", "/proc/version", "f"], ["ln", "-sbT", "f", "d"]),
        ["ln", "--backup=simple", "f~", "f"],
        *(["ln", "-b", "-L", "dangling", "f"], ["ln", "-sb", "-t", ".", "elsewhere/d"]),
    ],
)
def test_what_fails_leaves_everything_in_its_place(
    run: Callable[..., Any], tmp_path: Path, argv: list[str]
) -> None:
    """A backup is renamed back when what was to take its place cannot be made."""
    (tmp_path / "d/sub").mkdir(parents=True)
    (tmp_path / "d/sub/x").write_text("x")
    (tmp_path / "f").write_text("kept")
    (tmp_path / "dangling").symlink_to("nowhere")
    if argv[0] != "cp":  # as GNU's, it finds out when the old backup has gone
        (tmp_path / "f~").write_text("an older backup")
    before = state(tmp_path)
    done = run(*argv, cwd=tmp_path)
    assert done.status == 1 and done.err
    assert state(tmp_path) == before


def test_a_directory_is_moved_whatever_its_age(run: Callable[..., Any], tmp_path: Path) -> None:
    """-u compares the ages of files: an older directory is no reason to say nothing and do nothing (GNU)."""
    (tmp_path / "d").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "d/f").write_text("x")
    os.utime(tmp_path / "d", (1, 1))
    assert run("mv", "-uT", "d", "empty", cwd=tmp_path) == (0, b"", b"")
    assert (tmp_path / "empty/f").read_text() == "x" and not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    "argv", [["ln", "-r", "f", "g"], ["cp", "--parents", "-T", "f", "g"], ["ln", "-fr", "f", "g"]]
)
def test_options_that_do_not_go_together(
    run: Callable[..., Any], tmp_path: Path, argv: list[str]
) -> None:
    (tmp_path / "f").write_text("f")
    assert run(*argv, cwd=tmp_path).status == 1
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize(
    "argv",
    [
        *(
            ["sort", "-o", "f", "f", "d"],
            ["sort", "f", "-o", "f", "-c"],
            ["sort", "-of", "-og", "f"],
        ),
        *(["sort", "-m", "-o", "f", "f", "nonexistent"], ["sort", "-u", "-o", "f", "d", "f"]),
    ],
)
def test_sort_writes_nothing_when_input_is_missing(
    run: Callable[..., Any], tmp_path: Path, argv: list[str]
) -> None:
    """An input that can be opened and not read (a directory) is missing, too: -o must not make an end of it."""
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_text("b\na\n")
    done = run(*argv, cwd=tmp_path)
    assert done.status == 2 and done.err
    assert (tmp_path / "f").read_text() == "b\na\n"
    assert sorted(os.listdir(tmp_path)) == ["d", "f"]


def test_a_suffix_leads_nowhere_else(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup lies beside the file, whatever its suffix says: one with a slash is none (GNU)."""
    for words in (["cp", "-S/x"], ["mv", "--suffix=/../x"], ["ln", "-f", "-S", "a/b"]):
        (tmp_path / "f").write_text("new")
        (tmp_path / "g").write_text("old")
        assert run(*words, "f", "g", cwd=tmp_path).status == 0
        assert (tmp_path / "g").read_text() == "new"
        assert (tmp_path / "g~").read_text() == "old"
        for name in os.listdir(tmp_path):
            (tmp_path / name).unlink()


def test_a_source_that_is_named_twice_is_copied_once(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "d").mkdir()
    for name in ("f", "d/x"):
        (tmp_path / name).write_text(name)
    done = run("cp", "-R", "f", "f", "d", "d", "to", cwd=tmp_path)
    assert done.status == 0
    assert done.err.count(b"specified more than once") == done.err.count(b"\n") == 2
    assert sorted(os.listdir(tmp_path / "to")) == ["d", "f"]
    assert run("cp", "-ls", "f", "new", cwd=tmp_path).status == 1
    assert not (tmp_path / "new").exists()
