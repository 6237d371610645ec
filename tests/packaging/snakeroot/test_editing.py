"""Services put into snakeroot.toml and taken out of it: nothing else in the file changes.

Breaks when a comment, a blank line or another table is lost or moves, or when a text in between would replace the file.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakeroot import editing
from snakeroot.host import BuildError

SETTINGS = {"python": "./tool", "environment": {"A": "b"}, "ports": [80]}
ADDED = '[services.tool]\npython = "./tool"\nenvironment = {A = "b"}\nports = [80]\n'

HEAD = '# A box.\n\nhostname = "x"   # its name\n'
HELLO = '[services.hello]\npython = "./hello"   # a folder\n# ports = [1]\n'
TAIL = '# [files]\n# "/etc/motd" = "motd"\n\n[disk]\nseed = "1"  # drawn\n\n# the end\n'

#: Text before, and after: None where the service is to stand.
PLACES = [
    (f"{HEAD}\n{HELLO}\n", TAIL),
    (f"{HEAD}\n{HELLO}\n", ""),
    (f"{HEAD}\n", ""),
    (f"{HEAD}\n[services.hello]\npython = './a'\n[services.hello.environment]\nA = '1'\n\n", TAIL),
    (
        f"{HEAD}\n{HELLO}\n{TAIL}\n# other\n[services.b]\npython = './b'\n\n",
        "[machine]\nmemory = 1\n",
    ),
    (f"{HEAD}\n[services]\nb = {{ python = './b' }}\n\n[services.c]\npython = './c'\n\n", TAIL),
    (f"{HEAD}note = '''\n[services.no]\n'''\n\n{HELLO}\n", TAIL),
    (f"{HEAD}services.b.python = './b'\n\n", TAIL),
    (f"{HEAD}services.b.python = './b'\nnear = []\n\n{TAIL}\n", ""),
    ("", ""),
]


@pytest.mark.parametrize(("before", "after"), PLACES)
def test_service_is_added_after_the_last_one_and_nothing_else_changes(
    before: str, after: str
) -> None:
    text = before + after if after else (before.rstrip() + "\n" if before else "")
    blank = "\n" if after else ""
    new = editing.add(text, "tool", SETTINGS)
    assert new == before + ADDED + blank + after
    assert tomllib.loads(new)["services"]["tool"] == SETTINGS
    again, gone = editing.remove(new, "tool")
    assert again == text
    assert gone == ADDED


def test_file_without_a_last_line_end() -> None:
    assert editing.add('hostname = "x"', "tool", {"python": "./tool"}) == (
        'hostname = "x"\n\n[services.tool]\npython = "./tool"\n'
    )
    text = f"{HEAD}\n{HELLO}".rstrip()
    assert editing.add(text, "tool", SETTINGS) == f"{text}\n\n{ADDED}"


#: Text, service to be removed, what is left, what is gone.
REMOVALS = [
    (f"{HEAD}\n{HELLO}\n{TAIL}", "hello", f"{HEAD}\n{TAIL}", HELLO),
    (f"{HEAD}\n# A page.\n{HELLO}\n{TAIL}", "hello", f"{HEAD}\n{TAIL}", f"# A page.\n{HELLO}"),
    # what is commented out is no heading
    (
        f"{HEAD}\n# [files]\n# a = 1\n{HELLO}\n{TAIL}",
        "hello",
        f"{HEAD}\n# [files]\n# a = 1\n\n{TAIL}",
        HELLO,
    ),
    (
        f"{HEAD}\n{HELLO}[services.hello.environment]\nA = '1'\n\n{TAIL}",
        "hello",
        f"{HEAD}\n{TAIL}",
        f"{HELLO}[services.hello.environment]\nA = '1'\n",
    ),
    (
        f"{HEAD}\n{HELLO}\n[disk]\nseed = '1'\n\n[services.hello.environment]\nA = '1'\n",
        "hello",
        f"{HEAD}\n[disk]\nseed = '1'\n",
        f"{HELLO}[services.hello.environment]\nA = '1'\n",
    ),
    (
        f"{HEAD}\n[services]\na = {{ python = './a' }}\nb = {{ python = './b' }}  # b\n",
        "a",
        f"{HEAD}\n[services]\nb = {{ python = './b' }}  # b\n",
        "a = { python = './a' }\n",
    ),
    (
        f"{HEAD}services = {{ a = {{ python = './a' }}, b = {{ python = './b' }} }}\n",
        "a",
        f"{HEAD}services = {{  b = {{ python = './b' }} }}\n",
        None,
    ),
    (
        f"{HEAD}services.a.python = './a'\nservices.b.python = './b'\n",
        "a",
        f"{HEAD}services.b.python = './b'\n",
        "services.a.python = './a'\n",
    ),
]


@pytest.mark.parametrize(("text", "name", "left", "gone"), REMOVALS)
def test_service_is_removed_with_what_is_said_about_it_alone(
    text: str, name: str, left: str, gone: str | None
) -> None:
    found, lines = editing.remove(text, name)
    assert found == left
    assert gone is None or lines == gone


@given(
    services=st.lists(st.sampled_from("abcdef"), unique=True, max_size=4),
    breaks=st.lists(
        st.sampled_from(["\n", "\n# c\n\n", "\n# [x]\n\n", ""]), min_size=6, max_size=6
    ),
    other=st.integers(0, 4),
)
def test_adding_and_removing_is_no_change(
    services: list[str], breaks: list[str], other: int
) -> None:
    tables = [f"[services.{name}]\npython = './{name}'\n" for name in services]
    tables.insert(min(other, len(tables)), "[disk]\nseed = '1'  # drawn\n")
    text = 'hostname = "x"\n' + "".join(b + t for b, t in zip(breaks, tables, strict=False))
    new = editing.add(text, "tool", SETTINGS)
    data = tomllib.loads(text)
    data.setdefault("services", {})["tool"] = SETTINGS
    assert tomllib.loads(new) == data
    lines = [line for line in text.splitlines() if line]
    assert [line for line in editing.remove(new, "tool")[0].splitlines() if line] == lines


def test_names_that_are_there_or_not() -> None:
    text = f"{HEAD}\n{HELLO}"
    with pytest.raises(BuildError, match="service 'hello' already") as caught:
        editing.add(text, "hello", {"python": "./hello"})
    assert "snakeroot remove hello" in caught.value.hint
    with pytest.raises(BuildError, match="no service 'helo'") as caught:
        editing.remove(text, "helo")
    assert caught.value.hint == "there are: hello"
    with pytest.raises(BuildError, match="one inline table"):
        editing.add("services = { a = { python = './a' } }\n", "tool", SETTINGS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "tool.py").write_text("")
    return tmp_path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_file_keeps_its_line_ends_its_mode_and_that_it_is_a_link(folder: Path, end: str) -> None:
    real = folder / "real.toml"
    real.write_bytes(HEAD.replace("\n", end).encode())
    real.chmod(0o640)
    (folder / "snakeroot.toml").symlink_to("real.toml")
    editing.change(folder, lambda text: editing.add(text, "tool", {"python": "./tool"}))
    wanted = f'{HEAD}\n[services.tool]\npython = "./tool"\n'
    assert real.read_bytes() == wanted.replace("\n", end).encode()
    assert real.stat().st_mode & 0o7777 == 0o640
    assert (folder / "snakeroot.toml").is_symlink()
    assert sorted(path.name for path in folder.iterdir()) == ["real.toml", "snakeroot.toml", "tool"]


def test_what_would_be_wrong_never_gets_into_the_file(folder: Path) -> None:
    path = folder / "snakeroot.toml"
    path.write_text(HEAD)
    before = sorted(folder.iterdir())
    for settings in (
        {"python": "./none"},
        {"binary": "./none"},
        {"python": "./tool", "ports": [0]},
    ):
        with pytest.raises(BuildError) as caught:
            editing.change(folder, lambda text, s=settings: editing.add(text, "tool", s))  # type: ignore[misc]
        assert "\n" not in str(caught.value) and "/tmp" not in str(caught.value)
        assert path.read_text() == HEAD and sorted(folder.iterdir()) == before


def test_what_somebody_else_wrote_meanwhile_is_kept(folder: Path) -> None:
    path = folder / "snakeroot.toml"
    path.write_text(HEAD)

    def edit(text: str) -> str:
        path.write_text(f"{HEAD}# other\n")
        return editing.add(text, "tool", {"python": "./tool"})

    with pytest.raises(BuildError, match="somebody else"):
        editing.change(folder, edit)
    assert path.read_text() == f"{HEAD}# other\n"
