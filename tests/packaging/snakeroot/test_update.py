"""What `snakeroot update` sends, with a stand-in for `ssh` and the box behind it.

Breaks when it sends more than the box asks for, or gives up where sending the whole would do.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from snakeroot import config, keys, new, update
from snakeroot.host import BuildError

from tests.toolbox.release import factory
from toolbox.release import partial
from toolbox.release.fetch import parse_release

#: Answers the words after `update` as box/WORDS.py says, and keeps what it was sent.
SSH = """#!{python}
import pathlib, shlex, sys
box = pathlib.Path(__file__).parent / "box"
words = shlex.split(" ".join(sys.argv[sys.argv.index("update") + 1 :]))
number = len(list(box.glob("sent-*")))
if words[0] != "show":
    (box / f"sent-{{number}}-{{words[0]}}").write_bytes(sys.stdin.buffer.read())
exec((box / f"{{words[0]}}.py").read_text())
"""

SHOW = """print('{"version": "1.2", "slot": "b", "state": "committed", "last": null}')"""
TOOK = """print("version 1.2 is in slot b; restarting into it")"""


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what the box answers and was sent."""
    monkeypatch.setattr(update, "HEALTHY", 5.0)  # it answers at once, or never
    folder = tmp_path / "bin"
    (folder / "box").mkdir(parents=True)
    (folder / "ssh").write_text(SSH.format(python=sys.executable))
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    (folder / "box" / "show.py").write_text(SHOW)
    (folder / "box" / "apply.py").write_text(TOOK)
    return folder / "box"


@pytest.fixture
def instance(tmp_path: Path) -> config.Instance:
    new.create(tmp_path / "hello")
    made = config.load(tmp_path / "hello")
    made.output.mkdir()
    (made.output / "ports").write_text("22 8022\n")
    return made


@pytest.fixture
def file(instance: config.Instance) -> Path:
    """A release, signed with the instance's key."""
    path = instance.path.parent / "hello.release"
    path.write_bytes(factory.release(key=keys.secret(instance.path)))
    return path


def sent(box: Path) -> list[tuple[str, bytes]]:
    found = sorted(box.glob("sent-*"))
    return [(path.name.rpartition("-")[2], path.read_bytes()) for path in found]


def begin(file: Path, instance: config.Instance) -> int:
    """Bytes of the head and the index."""
    return parse_release(file.read_bytes(), keys.public(instance.path)).pack_at


def test_only_what_the_box_asks_for(box: Path, instance: config.Instance, file: Path) -> None:
    data, at = file.read_bytes(), begin(file, instance)
    wanted = [(0, at), (at + 1000, at + 5000)]
    (box / "wanted.py").write_text(f"print({partial.encode(wanted).decode()!r}, end='')")
    assert update.update(instance, str(file))["slot"] == "b"
    part = partial.encode(wanted) + data[:at] + data[at + 1000 : at + 5000]
    assert sent(box) == [("wanted", data[:at]), ("apply", part)]


def test_an_older_box_gets_the_whole(box: Path, instance: config.Instance, file: Path) -> None:
    unknown = "update: unknown command 'wanted'; known: show, check, apply"
    (box / "wanted.py").write_text(f"sys.exit({unknown!r})")
    update.update(instance, str(file))
    assert sent(box)[1] == ("apply", file.read_bytes())


def test_a_box_whose_disk_fails_gets_the_whole(
    box: Path, instance: config.Instance, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = begin(file, instance)
    (box / "wanted.py").write_text(f"print('bytes=0-{at - 1}')")
    lacks = f"update: the release: lacks what comes at 7: {partial.LACKS}"
    (box / "apply.py").write_text(f"{TOOK} if number > 1 else sys.exit({lacks!r})")
    update.update(instance, str(file))
    assert [name for name, _ in sent(box)] == ["wanted", "apply", "apply"]
    assert sent(box)[2][1] == file.read_bytes()
    assert lacks in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "apply", "said"),
    [
        ("sys.exit('update: version 1.2 is older')", TOOK, "take it: update: version 1.2 is older"),
        ("sys.exit(3)", TOOK, "did not take it: status 3"),
        ("print('bytes=0-99999999')", TOOK, "not understood: the release's file is too short"),
        ("print('what?')", TOOK, "not understood: no ranges of a release"),
        ("print('bytes=0-99')", "sys.exit('update: its disk is full')", "its disk is full"),
    ],
)
def test_what_the_box_says_is_passed_on(
    box: Path, instance: config.Instance, file: Path, wanted: str, apply: str, said: str
) -> None:
    (box / "wanted.py").write_text(wanted)
    (box / "apply.py").write_text(apply)
    with pytest.raises(BuildError, match=said):
        update.update(instance, str(file))
