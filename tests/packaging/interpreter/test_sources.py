"""Sources: the checksum decides, a second pin stands in, and what cannot be had is one line with its cures.

They break when a file with another checksum is taken, when a half-loaded file gets its name, or when the
message for a missing source is a traceback or names no pin.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from interpreter import sources
from interpreter.workshop import BuildError

GOOD = b"the makers' own archive"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture(autouse=True)
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pins of a kind, of which the makers' addresses are files; the folder of these."""
    table = "".join(
        f'[[thing]]\nversion = "{version}"\nsha256 = "{hashlib.sha256(GOOD).hexdigest()}"\n'
        f'upstream = "file://{tmp_path}/makers/thing-{version}.tar"\npackage = "thing"\nsuites = []\n'
        for version in ("2.0", "1.0")
    )
    (tmp_path / "pins.toml").write_text(table)
    (tmp_path / "makers").mkdir()
    monkeypatch.setattr(sources, "PINS", tmp_path / "pins.toml")
    monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SNAKEROOT_SOURCES", raising=False)
    return tmp_path / "makers"


def test_from_the_makers_then_from_the_cache(pinned: Path, log: Path) -> None:
    there = pinned / "thing-2.0.tar"
    there.write_bytes(GOOD)
    pin, path = sources.archive("thing", log)
    assert (pin.version, path.read_bytes()) == ("2.0", GOOD)
    there.unlink()
    assert sources.archive("thing", log) == (pin, path)


@pytest.mark.parametrize("wrong", [b"", GOOD[:-1], b"something else"])
def test_second_pin_for_a_wrong_first(pinned: Path, log: Path, wrong: bytes) -> None:
    (pinned / "thing-2.0.tar").write_bytes(wrong)
    (pinned / "thing-1.0.tar").write_bytes(GOOD)
    pin, path = sources.archive("thing", log)
    assert pin.version == "1.0"
    assert [p.name for p in path.parent.iterdir()] == ["thing-1.0.tar"]


def test_from_a_folder(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the name that the distribution gives it, beside a file that is not it."""
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "a-thing-2.0.tar").write_bytes(b"no")
    (folder / "thing_2.0.orig.tar.xz").write_bytes(GOOD)
    monkeypatch.setenv("SNAKEROOT_SOURCES", str(folder))
    assert sources.archive("thing", log)[1].read_bytes() == GOOD


def test_none_can_be_had(log: Path) -> None:
    with pytest.raises(BuildError) as failure:
        sources.archive("thing", log)
    text = str(failure.value)
    assert "\n" not in text
    for word in ("thing 2.0", "thing 1.0", "pins.toml", "SNAKEROOT_SOURCES", "network"):
        assert word in text


def test_one_version_by_the_environment(
    pinned: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1.0", "2.0"):
        (pinned / f"thing-{version}.tar").write_bytes(GOOD)
    monkeypatch.setenv("SNAKEROOT_THING", "1.0")
    assert sources.archive("thing", log)[0].version == "1.0"
    monkeypatch.setenv("SNAKEROOT_THING", "3.0")
    with pytest.raises(BuildError, match=r"SNAKEROOT_THING=3.0"):
        sources.archive("thing", log)


def test_real_pins_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pin has a checksum, and CPython a second choice."""
    monkeypatch.setattr(sources, "PINS", Path(sources.__file__).parent / "pins.toml")
    for name in ("CPYTHON", "OPENSSL"):
        monkeypatch.delenv(f"SNAKEROOT_{name}", raising=False)
    assert len(sources.pins("cpython")) > 1
    for pin in (*sources.pins("cpython"), *sources.pins("openssl")):
        assert len(bytes.fromhex(pin.sha256)) == 32
        assert pin.version in pin.upstream


def test_locked_requirements() -> None:
    """Exact versions with hashes, no addresses, and everything that is frozen in."""
    lock = sources.LOCK.read_text()
    assert "://" not in lock
    for requirement in lock.replace("\\\n", " ").splitlines():
        assert "==" in requirement and "--hash=sha256:" in requirement
    for name in ("asyncssh", "typing_extensions", "prompt_toolkit"):
        assert sources.version_of(name)
    with pytest.raises(BuildError, match="no-such"):
        sources.requirement("no-such")
