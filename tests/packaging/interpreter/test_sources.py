"""Sources: the checksum decides, a second pin stands in, and what cannot be had is one line with its cures.

They break when a file with another checksum is taken or passed over in silence, when a half-loaded file gets its
name, when one way that is blocked hides the others, or when the message for a missing source is a traceback or
names no pin.
"""

from __future__ import annotations

import datetime
import errno
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from interpreter import pins, sources
from interpreter.ways import World, ways
from interpreter.workshop import BuildError

from tests.packaging.interpreter.fake_client import ARCHIVES, CRATE, GOOD, FakeClient

#: What each way is asked for, as far as the fake client tells them apart.
WAYS = ["makers.example", "pool debian", "pool debian security", "crate", "index debian"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture(autouse=True)
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three pins of a kind: 2.0, 1.0 and 1.0 as a crate."""
    table = '[suites]\ndebian = ["new", "new-security"]\nubuntu = []\n'
    for version, data in ARCHIVES.items():
        table += (
            f'[[thing]]\nversion = "{version}"\nreleased = 2026-01-01\n'
            f'sha256 = "{hashlib.sha256(data).hexdigest()}"\n'
            f'upstream = ["http://makers.example/thing-{version}.tar.xz"]\npackage = "thing"\n'
        )
    table += (
        '[[thing]]\nversion = "1.0"\nreleased = 2026-01-01\nfolder = "thing"\n'
        f'sha256 = "{hashlib.sha256(CRATE).hexdigest()}"\ncrate = "thing-src 100.1.0+1.0"\n'
    )
    (tmp_path / "pins.toml").write_text(table)
    monkeypatch.setattr(pins, "PINS", tmp_path / "pins.toml")
    monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "cargo"))
    monkeypatch.delenv("SNAKEROOT_SOURCES", raising=False)
    monkeypatch.delenv("SNAKEROOT_THING", raising=False)


def found(client: FakeClient, log: Path) -> tuple[str, bytes]:
    archive = sources.archive("thing", log, World(client))
    return str(archive.pin), archive.path.read_bytes()


def test_then_from_the_cache(log: Path) -> None:
    assert found(FakeClient(), log) == ("thing 2.0", GOOD)
    nothing = FakeClient(*WAYS)
    assert found(nothing, log) == ("thing 2.0", GOOD)
    assert nothing.asked == []


@pytest.mark.parametrize("blocked", [[way] for way in WAYS] + [[*WAYS[:3]], [*WAYS[:3], WAYS[4]]])
def test_each_way_blocked_in_turn(blocked: list[str], log: Path) -> None:
    """And the first choices of all, and all but the crate."""
    name = "thing 1.0 (crate)" if set(blocked) >= {*WAYS} - {"crate"} else "thing 2.0"
    assert found(FakeClient(*blocked), log)[0] == name


@pytest.mark.parametrize("only", WAYS)
def test_any_one_way_is_enough(only: str, log: Path) -> None:
    assert found(FakeClient(*(set(WAYS) - {only})), log)[1] in (*ARCHIVES.values(), CRATE)


@pytest.mark.parametrize("missing", ["apt-get", "cargo"])
def test_a_missing_tool_does_not_block_other_ways(missing: str, log: Path) -> None:
    assert found(FakeClient(missing), log)[0] == "thing 2.0"
    looked = {way.name: way for way in ways(pins.read("thing")[0], World(FakeClient(missing)))}
    assert ("pool" in looked) is (missing == "apt-get")


def test_newest_that_can_be_had_and_why_no_newer(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each way's own reason, in one line; and on the same day the servers are not asked again."""
    client = FakeClient("2.0")
    assert found(client, log)[0] == "thing 1.0"
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("dev:")]
    assert len(said) == 1 and said[0].startswith("dev: thing 2.0 cannot be had: ")
    for reason in ("makers.example: 404 Not Found", "pool debian: 404 Not Found", "index debian: "):
        assert reason in said[0]
    again = FakeClient()
    assert found(again, log)[0] == "thing 1.0" and again.asked == []
    os.utime(sources.cache() / "sources/thing-2.0.tar.missed", (1, 1))
    assert found(again, log)[0] == "thing 2.0"


def test_missed_pin_is_tried_when_there_is_no_other(log: Path) -> None:
    found(FakeClient("2.0"), log)
    (sources.cache() / "sources/thing-1.0.tar").unlink()
    assert found(FakeClient("1.0", "crate"), log)[0] == "thing 2.0"


@pytest.mark.parametrize("wrong", [b"", GOOD[:-1], b"something else"])
@pytest.mark.parametrize("way", WAYS[:3])
def test_wrong_checksum_is_told_and_the_next_way_taken(
    way: str, wrong: bytes, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = FakeClient(*WAYS[: WAYS.index(way)])
    client.wrong[way] = wrong
    assert found(client, log) == ("thing 2.0", GOOD)
    said = capsys.readouterr().err
    digest, pinned = hashlib.sha256(wrong).hexdigest(), hashlib.sha256(GOOD).hexdigest()
    assert f"dev: thing 2.0 from {way}: checksum {digest}, pinned is {pinned}\n" in said
    assert [p.name for p in (sources.cache() / "sources").iterdir()] == ["thing-2.0.tar"]


def test_damaged_cache_is_told_and_fetched_again(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found(FakeClient(), log)
    (sources.cache() / "sources/thing-2.0.tar").write_bytes(b"")
    assert found(FakeClient(), log) == ("thing 2.0", GOOD)
    assert "thing-2.0.tar: checksum e3b0c442" in capsys.readouterr().err


def test_from_a_folder(
    tmp_path: Path,
    log: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Under the name that the distribution gives it, beside a file that is not it, which is told."""
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "a-thing-2.0.tar").write_bytes(b"no")
    (folder / "a-thing-12.0.tar").write_bytes(b"another version")
    (folder / "thing_2.0.orig.tar.xz").write_bytes(GOOD)
    monkeypatch.setenv("SNAKEROOT_SOURCES", str(folder))
    client = FakeClient(*WAYS)
    assert found(client, log) == ("thing 2.0", GOOD) and client.asked == []
    (folder / "thing_2.0.orig.tar.xz").unlink()
    (sources.cache() / "sources/thing-2.0.tar").unlink()
    found(FakeClient(), log)
    said = capsys.readouterr().err
    assert "a-thing-2.0.tar: checksum 9390298f" in said and "12.0" not in said


def test_folder_that_is_not_there(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNAKEROOT_SOURCES", "/no/such")
    with pytest.raises(BuildError, match=r"SNAKEROOT_SOURCES: /no/such: No such file"):
        found(FakeClient(), log)


def test_none_can_be_had(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each way of each pin, then one that names all of them and the cures."""
    with pytest.raises(BuildError) as failure:
        found(FakeClient(*WAYS), log)
    text = str(failure.value)
    assert "\n" not in text
    for word in ("thing (2.0, 1.0)", "SNAKEROOT_SOURCES", "network"):
        assert word in text
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("dev:")]
    assert len(said) == 2 * 4 + 1
    assert "dev: thing 1.0 from pool debian security: 404 Not Found" in said


def test_no_network_is_one_line(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client = FakeClient(*WAYS)
    client.offline = True
    with pytest.raises(BuildError, match=r"^no network: thing \(2.0, 1.0\) .*SNAKEROOT_SOURCES"):
        found(client, log)
    assert "dev:" not in capsys.readouterr().err


def test_full_disk_is_no_failure_of_a_way(log: Path) -> None:
    client = FakeClient()
    client.full = True
    with pytest.raises(OSError) as failure:
        found(client, log)
    assert failure.value.errno == errno.ENOSPC
    assert failure.value.filename == str(sources.cache() / "sources/thing-2.0.tar")
    assert list((sources.cache() / "sources").iterdir()) == []


def test_one_version_by_the_environment(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNAKEROOT_THING", "1.0")
    assert found(FakeClient(), log)[0] == "thing 1.0"
    monkeypatch.setenv("SNAKEROOT_THING", "3.0")
    with pytest.raises(BuildError, match=r"SNAKEROOT_THING=3.0"):
        found(FakeClient(), log)


@pytest.mark.parametrize(
    ("folder", "members"),
    [("", ["thing-1/a", "thing-1/sub/b"]), ("src", ["c-1+2/src/a", "c-1+2/src/sub/b", "c-1+2/x"])],
)
def test_unpacked(folder: str, members: list[str], tmp_path: Path, log: Path) -> None:
    packed = tmp_path / "packed.tar"
    with tarfile.open(packed, "w") as tar:
        for name in members:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    pin = pins.Pin("thing", "1", datetime.date(2026, 1, 1), "", folder=folder)
    sources.unpack(sources.Archive(pin, packed), tmp_path / "out", log)
    there = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")}
    assert there == {"a", "sub", "sub/b"}


@pytest.mark.parametrize("name", ["cpython", "openssl"])
def test_real_pins_are_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several versions, newest first, and for each version two independent kinds of way or a crate."""
    monkeypatch.setattr(pins, "PINS", Path(pins.__file__).parent / "pins.toml")
    found = pins.read(name)
    versions = [tuple(map(int, pin.version.split("."))) for pin in found]
    assert len(set(versions)) > 1 and versions == sorted(versions, reverse=True)
    for pin in found:
        assert len(bytes.fromhex(pin.sha256)) == 32
        assert pin.crate or (pin.upstream and pin.package)
        assert all(pin.version in url for url in pin.upstream)
        assert not pin.crate or (pin.crate.endswith(f"+{pin.version}") and pin.folder)


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
