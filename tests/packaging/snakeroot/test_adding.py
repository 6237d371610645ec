"""`snakeroot add`, `remove` and `edit`, with a local index of wheels made here and editors that are scripts.

Breaks when a program is not found that is there, when what is refused leaves something behind, or when a text that is
not good replaces snakeroot.toml.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from snakeroot import cli, config, programs, services
from snakeroot.commands import settings

from tests.packaging.snakeroot.wheelhouse import Index

HEAD = '# A box.\nhostname = "x"\n'
MAIN = 'if __name__ == "__main__":\n    print("hi")\n'


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An instance without services; the folder above it is the one that we are in."""
    folder = tmp_path / "box"
    folder.mkdir()
    (folder / "snakeroot.toml").write_text(HEAD)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    return Index(tmp_path / "index", monkeypatch)


def program(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def call(box: Path, *words: str) -> int:
    return cli.main(["-C", str(box), *words])


def added(box: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((box / "snakeroot.toml").read_text()).get("services", {})
    return found


#: Files of a folder -> the module that is run, "" for none that is set.
FOLDERS: list[tuple[dict[str, str], str]] = [
    ({"my-tool.py": "", "my_tool.py": ""}, ""),
    ({"my_tool/__main__.py": ""}, ""),
    ({"main.py": MAIN, "helpers.py": ""}, "main"),
    ({"main.py": "", "helpers.py": ""}, "main"),
    ({"serve.py": ""}, "serve"),
    ({"one.py": "", "two.py": MAIN}, "two"),
    ({"pages/__main__.py": "", "one.py": "", "two.py": ""}, "pages"),
    ({"__main__.py": "", "helpers.py": MAIN, "pages/__main__.py": ""}, "__main__"),
    ({"__main__.py": "", "my_tool.py": ""}, "__main__"),
    ({"pyproject.toml": '[project]\nname = "my-tool"\n', "my_tool/__main__.py": ""}, ""),
    ({"pyproject.toml": '[project]\nname = "other"\n', "src/other/__main__.py": ""}, "other"),
    (
        {
            "pyproject.toml": '[project]\nname = "other"\nscripts = { x = "other.cli:main" }\n',
            "other/cli.py": MAIN,
        },
        "other.cli",
    ),
    (
        {
            "pyproject.toml": '[project]\nname = "other"\nscripts = { x = "other.cli:main" }\n',
            "other/cli.py": "def main(): pass\n",
        },
        "other.cli:main",
    ),
    (
        {
            "setup.py": "",
            "setup.cfg": "[options.entry_points]\nconsole_scripts =\n    my-tool = other:main\n    y = z:y\n",
            "other/__main__.py": "",
        },
        "other",
    ),
]


@pytest.mark.parametrize(("files", "module"), FOLDERS)
def test_folder_is_added_with_the_module_that_is_the_program(
    box: Path, files: dict[str, str], module: str
) -> None:
    program(box / "my-tool", files)
    assert call(box, "add", "my-tool") == 0
    wanted = {"python": "./my-tool", **({"module": module} if module else {})}
    assert added(box) == {"my-tool": wanted}
    assert (box / "snakeroot.toml").read_text().startswith(HEAD)


@pytest.mark.parametrize(
    "files", [files for files, _ in FOLDERS if not {"pyproject.toml", "setup.py"} & {*files}]
)
def test_what_is_added_is_started_by_the_command_of_the_box(
    box: Path, files: dict[str, str]
) -> None:
    """Python is given the options that the box gives it, with the folder in its place there."""
    folder = program(
        box / "my-tool",
        {name: text + 'print(f"{__file__} as {__name__}")\n' for name, text in files.items()},
    )
    assert call(box, "add", "my-tool") == 0
    service = config.load(box).settings.services["my-tool"]
    options = services.python_options("my-tool", programs.module(service), str(folder))
    ran = subprocess.run(
        [sys.executable, *options],
        env={"PYTHONPATH": str(folder)},
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    *_, last = ran.stdout.splitlines()
    assert last.startswith(str(folder)) and last.endswith(" as __main__")


def test_path_is_as_seen_from_here_and_written_as_seen_from_the_instance(box: Path) -> None:
    program(box / "inside", {"inside.py": ""})
    program(box.parent / "beside", {"beside.py": ""})
    for what in ("box/inside", "beside/"):
        assert call(box, "add", what) == 0
    assert added(box) == {
        "inside": {"python": "./inside"},
        "beside": {"python": "../beside"},
    }
    config.load(box)


def test_ports_variables_arguments_and_name(box: Path) -> None:
    program(box / "tool", {"tool.py": ""})
    words = ["--name", "web", "-p", "8000", "-p", "8001", "-e", "A=b=c", "-e", "E="]
    assert call(box, "add", "tool", *words, "--", "-v", "--port", "8000") == 0
    assert added(box)["web"] == {
        "python": "./tool",
        "arguments": ["-v", "--port", "8000"],
        "environment": {"A": "b=c", "E": ""},
        "ports": [8000, 8001],
    }


SCRIPT = """# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "segno==1.6.6",
# ]
# ///
import segno
"""


def test_file_gets_a_folder_of_its_own_with_what_it_needs(box: Path) -> None:
    (box.parent / "qr.py").write_text(SCRIPT)
    assert call(box, "add", "qr.py") == 0
    assert added(box) == {"qr": {"python": "./qr"}}
    assert (box / "qr" / "qr.py").read_text() == SCRIPT
    assert (box / "qr" / "requirements.txt").read_text() == "segno==1.6.6\n"
    assert call(box, "add", "qr.py", "--name", "qr-two") == 0
    assert added(box)["qr-two"] == {"python": "./qr-two", "module": "qr"}


def test_file_in_a_folder_of_the_instance_runs_from_there(box: Path) -> None:
    program(box / "bots", {"first.py": "", "second.py": ""})
    assert call(box, "add", "box/bots/first.py") == 0
    assert call(box, "add", "bots/second.py") == 0
    assert added(box) == {
        "first": {"python": "./bots", "module": "first"},
        "second": {"python": "./bots", "module": "second"},
    }


def test_executable_stays_where_it_is(box: Path) -> None:
    for path in (box / "run.sh", box.parent / "job"):
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        path.chmod(0o755)
    assert call(box, "add", "run.sh") == 0
    assert call(box, "add", "./job") == 0
    assert added(box) == {"run-sh": {"binary": "./run.sh"}, "job": {"binary": "../job"}}


#: Files of a wheel -> the module that is run, "" for none that is set.
WHEELS: list[tuple[dict[str, str], str, str]] = [
    ({"tool/__main__.py": ""}, "", ""),
    ({"tool.py": MAIN}, "", ""),
    ({"tool/__main__.py": ""}, "tool = tool.__main__:main", ""),
    ({"tool/cli.py": MAIN}, "tool = tool.cli:main", "tool.cli"),
    ({"tool/cli.py": "def main(): pass\n"}, "tool = tool.cli:main", "tool.cli:main"),
    ({"tool/cli.py": "", "tool/__main__.py": ""}, "x = tool.cli:main\nTool = tool.cli:main", ""),
    ({"other/__init__.py": MAIN, "other/__main__.py": ""}, "t = other:main", "other"),
]


@pytest.mark.parametrize(("files", "scripts", "module"), WHEELS)
def test_requirement_is_added_with_its_entry_point(
    box: Path, index: Index, files: dict[str, str], scripts: str, module: str
) -> None:
    entry = {"tool-1.0.dist-info/entry_points.txt": f"[console_scripts]\n{scripts}\n"}
    index.wheel("tool", files={**files, **(entry if scripts else {})})
    assert call(box, "add", "tool==1.0") == 0
    wanted = {"python": "tool==1.0", **({"module": module} if module else {})}
    assert added(box) == {"tool": wanted}


def test_function_runs_as_the_script_of_an_entry_point_does(box: Path) -> None:
    program(
        box / "tool", {"tool/cli.py": "import sys\nclass App:\n  main = lambda: print(sys.argv)\n"}
    )
    (box / "snakeroot.toml").write_text(
        f'{HEAD}[services.web]\npython = "./tool"\nmodule = "tool.cli:App.main"\narguments = ["-v"]\n'
    )
    command = services.contents(config.load(box))["services"]["web"]["command"]
    done = subprocess.run(
        [sys.executable, *command[1:]], cwd=box / "tool", capture_output=True, text=True, check=True
    )
    assert done.stdout == "['web', '-v']\n"


#: Words -> what is said.
REFUSED: list[tuple[list[str], str]] = [
    (["nothing"], "nothing: no such file or folder, and the package index has no such project"),
    (["./nothing"], "./nothing: no such file or folder"),
    (["a/b"], "a/b: no such file or folder"),
    (["dangling"], "dangling: is a link that leads nowhere"),
    (["pipe"], "pipe: is neither a folder nor a file"),
    (["empty"], "empty: has no Python program in it"),
    (["many"], "many: which module is the program? there are one, two"),
    (["broken.py"], "broken.py:1: "),
    (["two-words.py"], "two-words.py: is no name of a module"),
    (["note.txt"], "'./note.txt' is neither an ELF file nor a script"),
    (["library"], "library: has no program in it, it is a library"),
    (["several"], "several: which of its programs? a, b"),
    (["good", "-p", "0"], "0 is no port (1 to 65535)"),
    (["good", "-p", "80"], "port 80 is taken by the box's page"),
    (["good", "-e", "novalue"], "--env novalue: is no variable"),
    (["good", "--name", "httpd"], "'httpd' is a service of the box itself"),
    (["good", "--name", "9"], "'9' gives no name for a service"),
    (["good", "--module", "none.at.all:"], "'none.at.all:' is no name of a module"),
    (["job.py", "-p", "0"], "0 is no port"),
    (["."], "the instance lies in it, and its keys would get into the image"),
    ([""], "'': is no program"),
    (["bad-\udcff"], """python = "./bad-\\xff": is not UTF-8"""),
    (["good", "--", "\udcff"], """arguments = ["\\xff"]: is not UTF-8"""),
    (["good==x y"], "'good==x y': is no file or folder here, and no requirement"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_what_is_refused_leaves_nothing_behind(
    box: Path, index: Index, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    program(box / "empty", {"README": ""})
    program(box / "many", {"one.py": "", "two.py": ""})
    program(box / "good", {"good.py": ""})
    program(box / "bad-\udcff", {"main.py": ""})
    program(box, {"broken.py": "def\n", "two-words.py": "", "note.txt": "x", "job.py": ""})
    (box / "dangling").symlink_to("nowhere")
    os.mkfifo(box / "pipe")
    index.wheel("library", files={"library/__init__.py": ""})
    scripts = "[console_scripts]\na = several.a:main\nb = several.b:main\n"
    index.wheel("several", files={"several-1.0.dist-info/entry_points.txt": scripts})
    before = sorted(box.rglob("*"))
    assert call(box, "add", *words) == 1
    err = capsys.readouterr().err
    assert said in err
    first, *rest = err.splitlines()
    assert first.startswith("snakeroot: ") and len(rest) == 1 and rest[0].startswith("  ")
    assert (box / "snakeroot.toml").read_text() == HEAD
    assert sorted(box.rglob("*")) == before


def test_removed_lines_are_shown(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(box / "tool", {"tool.py": ""})
    lines = '[services.tool]\npython = "./tool"  # mine\n'
    (box / "snakeroot.toml").write_text(f"{HEAD}\n{lines}")
    (box / "pylock.tool.toml").touch()  # as of a requirement
    assert call(box, "remove", "tool") == 0
    assert capsys.readouterr().out == lines
    assert (box / "snakeroot.toml").read_text() == HEAD
    assert (box / "tool").is_dir() and not (box / "pylock.tool.toml").exists()
    assert call(box, "remove", "tool") == 1
    assert "there is no service 'tool'" in capsys.readouterr().err


def test_service_that_others_need_stays(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(box / "tool", {"tool.py": ""})
    text = (
        f'{HEAD}\n[services.tool]\npython = "./tool"\n\n[services.other]\npython = "./tool"\n'
        'module = "tool"\nwait_for = ["tool"]\n'
    )
    (box / "snakeroot.toml").write_text(text)
    assert call(box, "remove", "tool") == 1
    err = capsys.readouterr().err
    assert f"snakeroot: {box}/snakeroot.toml:10: nothing provides 'tool'" in err
    assert err.endswith("\n  snakeroot.toml is as it was\n")
    assert (box / "snakeroot.toml").read_text() == text


# -- edit --------------------------------------------------------------------------------------------------


def editor(box: Path, monkeypatch: pytest.MonkeyPatch, *scripts: str) -> None:
    """An editor that does one thing after the other; `$1` is the file."""
    for number, text in enumerate(scripts):
        (box.parent / f"edit-{number}").write_text(text)
    path = box.parent / "my editor"
    path.write_text(
        f'#!/bin/sh\ncd "{box.parent}"\nfor f in edit-*; do mv $f now; . ./now; exit; done\n'
    )
    path.chmod(0o755)
    monkeypatch.setenv("VISUAL", f"'{path}'")
    monkeypatch.setenv("EDITOR", "false")


def test_good_text_replaces_the_file(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(box, monkeypatch, 'echo "# more" >> "$1"')
    assert call(box, "edit") == 0
    assert (box / "snakeroot.toml").read_text() == f"{HEAD}# more\n"
    assert [path.name for path in box.iterdir()] == ["snakeroot.toml"]


def test_text_that_is_not_good_is_kept_beside_the_file(
    box: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    editor(box, monkeypatch, 'echo "bad = 1" >> "$1"', 'sed -i s/bad.*/ntp=[]/ "$1"')
    monkeypatch.setattr("sys.stdin", open(os.devnull))
    copy = box / settings.KEPT
    assert call(box, "edit") == 1
    err = capsys.readouterr().err
    assert f"{copy}:3: unknown key 'bad'" in err
    assert f"{box}/snakeroot.toml is as it was\n  your text is in {copy}" in err
    assert (box / "snakeroot.toml").read_text() == HEAD
    assert copy.read_text() == f"{HEAD}bad = 1\n"
    # The next one goes on with it.
    assert call(box, "edit") == 0
    assert (box / "snakeroot.toml").read_text() == f"{HEAD}ntp=[]\n"
    assert not copy.exists()


def test_terminal_is_asked_whether_to_edit_again(
    box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(box, monkeypatch, 'echo "bad = 1" >> "$1"', 'sed -i s/bad.*/ntp=[]/ "$1"')
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "snakeroot", "-C", box, "edit"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    os.close(theirs)
    said = b""
    while b"[Y/n]" not in said:
        said += os.read(ours, 1000)
    os.write(ours, b"\n")
    assert process.wait(60) == 0
    os.close(ours)
    assert (box / "snakeroot.toml").read_text() == f"{HEAD}ntp=[]\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("true", "nothing is changed"),
        ("exit 3", "ended with status 3"),
        ('echo "# more" >> "$1"; exit 3', "what it wrote is in"),
        (f'echo "# a" >> "$1"; echo "# b" >> box/{config.FILE}', "somebody else has changed it"),
        ('printf "\\377" >> "$1"', "not UTF-8"),
        ('rm "$1"', "No such file or directory"),
    ],
)
def test_editor_that_does_otherwise(
    box: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
    said: str,
) -> None:
    editor(box, monkeypatch, script)
    monkeypatch.setattr("sys.stdin", open(os.devnull))
    status = call(box, "edit")
    assert said in capsys.readouterr().err
    assert status == (0 if script == "true" else 1)
    assert (box / "snakeroot.toml").read_text() in (HEAD, f"{HEAD}# b\n")


def test_no_editor(
    box: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VISUAL", "/no/such/editor --wait")
    assert call(box, "edit") == 1
    assert "/no/such/editor: No such file or directory" in capsys.readouterr().err
    monkeypatch.delenv("VISUAL")
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.setenv("PATH", str(box))
    assert call(box, "edit") == 1
    assert "EDITOR=nano snakeroot edit" in capsys.readouterr().err
    assert [path.name for path in box.iterdir()] == ["snakeroot.toml"]
