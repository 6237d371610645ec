"""Making, showing and checking releases.

Breaks when the same inputs give other bytes, a release of a version is replaced, or a changed file counts as good.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakeroot import cli, config, disk, keys, new, release, releasing
from snakeroot.host import BuildError

from tests.toolbox.release.factory import noise, serve
from toolbox.release import channel, signed, slots
from toolbox.release.fetch import parse_release
from toolbox.release.manifest import Target
from toolbox.storage import gpt, slot
from toolbox.storage.device import Disk
from toolbox.trust.minisign import SecretKey

KEY = SecretKey(b"release!", bytes(range(32)))
TARGET = Target("box", "x86_64")
PARTS = {"boot": noise(4096 * 5), "root": noise(4096 * 30, 2) + bytes(8192)}


def plan(version: str = "1.0", when: int = 1_700_000_000, **more: Any) -> release.Plan:
    return release.Plan(TARGET, version, when, **more)


def write(folder: Path, made: release.Plan | None = None, **changes: bytes) -> Path:
    parts = {name: io.BytesIO(changes.get(name, data)) for name, data in PARTS.items()}
    return release.write(folder, made or plan(), parts, KEY)


@pytest.fixture
def instance(tmp_path: Path) -> config.Instance:
    """An instance with its keys, as `snakeroot new` makes it."""
    new.create(tmp_path / "box")
    return config.load(tmp_path / "box")


def test_same_inputs_same_bytes(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one"), write(tmp_path / "other")
    names = sorted(os.listdir(tmp_path / "one"))
    assert names == ["box-pc-x86_64-1.0.release", "box-pc-x86_64-stable.latest"]
    assert names == sorted(os.listdir(tmp_path / "other"))
    for name in names:
        assert (one.parent / name).read_bytes() == (other.parent / name).read_bytes()


def test_a_version_is_never_another_release(tmp_path: Path) -> None:
    path = write(tmp_path)
    before = path.read_bytes()
    assert write(tmp_path) == path
    with pytest.raises(BuildError, match="another release of that version") as raised:
        write(tmp_path, root=noise(8192, 3))
    assert "--version" in raised.value.hint
    assert path.read_bytes() == before
    assert len(os.listdir(tmp_path)) == 2, "nothing is left behind"


def test_the_latest_leads_to_the_last(tmp_path: Path) -> None:
    write(tmp_path)
    path = write(tmp_path, plan("1.1"), root=noise(8192, 3))
    described = release.show(str(tmp_path / channel.file_name(TARGET)), [KEY.public])
    assert (described["version"], described["file"]) == ("1.1", path.name)


def test_show_and_verify(tmp_path: Path) -> None:
    made = plan("1.2", floor="1.0", notes="First\nand \x1b[31msecond")
    path = write(tmp_path, made)
    described = release.show(str(path), [KEY.public])
    assert described["size"] == path.stat().st_size
    assert (described["version"], described["floor"], described["name"]) == ("1.2", "1.0", "box")
    assert described["created"] == "2023-11-14T22:13:20Z"
    assert described["root"] == len(PARTS["root"])
    shown = "\n".join(release.lines(described))
    assert "version       1.2" in shown
    assert "\x1b" not in shown
    assert "good, version 1.2 of box-pc-x86_64" in release.verify(str(path), [KEY.public])
    # Boxes that count what users have on /perm refuse a release that does not say this.
    assert parse_release(path.read_bytes(), [KEY.public]).mounts == {"quota"}


def test_a_changed_file_is_not_good(tmp_path: Path) -> None:
    """Every byte of a small release, one bit each, and every way to be cut short or too long."""
    path = write(tmp_path, boot=noise(40), root=bytes(900))
    data = path.read_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(BuildError) as raised:
            release.verify(str(path), [KEY.public])
        assert len(str(raised.value).splitlines()) == 1
    for wrong in (data[:-1], data[:1000], b"", data + b"x"):
        path.write_bytes(wrong)
        with pytest.raises(BuildError):
            release.verify(str(path), [KEY.public])


def test_show_and_verify_by_url(tmp_path: Path) -> None:
    path = write(tmp_path)
    with serve() as server:
        server.files = {f"/r/{p.name}": p.read_bytes() for p in tmp_path.iterdir()}
        url = f"{server.url}/r/{path.name}"
        assert release.show(url, [KEY.public])["version"] == "1.0"
        assert "good" in release.verify(url, [KEY.public])
        with pytest.raises(BuildError, match="404 Not Found"):
            release.show(url + "x", [KEY.public])


def test_any_file_with_its_signature(tmp_path: Path) -> None:
    path, secret = tmp_path / "file", tmp_path / "key"
    path.write_bytes(noise(5000))
    secret.write_bytes(KEY.encode())
    argv = ["minisign", "-S", "-W", "-s", secret, "-m", path, "-t", "a comment"]
    subprocess.run(argv, check=True, capture_output=True)
    assert "a comment" in release.verify(str(path), [KEY.public])
    path.write_bytes(noise(5001))
    with pytest.raises(BuildError, match="does not fit"):
        release.verify(str(path), [KEY.public])


@pytest.mark.parametrize("version", ["", "v1", "1.0-rc1", "../1", "1/2", "one"])
def test_versions_that_cannot_be(instance: config.Instance, version: str) -> None:
    if not version:
        assert release.plan(instance, []).version[:2] == "20"
        return
    with pytest.raises(BuildError, match="is no version"):
        release.plan(instance, [], version)


def test_a_version_below_its_floor(instance: config.Instance) -> None:
    with pytest.raises(BuildError, match="below its own floor"):
        release.plan(instance, [], "1.0", "1.1")


def test_the_time_is_that_of_the_newest_input(
    instance: config.Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    for path in instance.path.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    program = tmp_path / "program"
    program.write_bytes(b"")
    os.utime(program, (1_600_000_100, 1_600_000_100))
    assert release.plan(instance, [program]).version == "20200913.122820"
    os.utime(instance.path / "release.key", (1_600_000_900, 1_600_000_900))
    instance.output.mkdir(exist_ok=True)
    (instance.output / "root.squashfs").write_bytes(b"")
    assert release.created(instance, [program]) == 1_600_000_100, "no input"
    os.utime(next(instance.path.glob("hello/*.py")), (1_600_000_200, 1_600_000_200))
    assert release.created(instance, [program]) == 1_600_000_200
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1500000000")
    assert release.plan(instance, [program]).created == 1_500_000_000
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(BuildError, match="SOURCE_DATE_EPOCH"):
        release.created(instance, [])


# -- the commands ------------------------------------------------------------------------------------------


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stands in for the build: what is released is not the point here."""
    program = tmp_path / "program"
    program.write_bytes(b"")
    monkeypatch.setattr(releasing.shipped, "program", lambda: program)
    monkeypatch.setattr(releasing.image, "build", lambda i: SimpleNamespace(kernel=program))
    made = disk.Release(**PARTS)
    monkeypatch.setattr(releasing.disk, "release", lambda image, number: made)


def call(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    status = cli.main([str(word) for word in words])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.usefixtures("built")
def test_from_release_to_latest(
    instance: config.Instance, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, at = tmp_path / "releases", ("-C", instance.path)
    words = ("--version", "1.4", "--notes", "News", "--percent", "10", "--salt", "a")
    status, out, _ = call(capsys, *at, "release", "-o", folder, *words)
    assert status == 0
    path, latest = map(Path, out.split())
    assert call(capsys, *at, "verify", path)[0] == 0
    assert "percent       10" in call(capsys, *at, "show", latest)[1]
    toml = instance.path / config.FILE
    toml.write_text(toml.read_text() + f'[release]\nurl = "{folder}"\n')
    status, out, _ = call(capsys, *at, "show", "--json", "latest")
    assert json.loads(out)["version"] == "1.4"
    assert "good" in call(capsys, *at, "verify", "latest")[1]
    # Without the instance, a public key is needed.
    assert call(capsys, "-C", tmp_path, "verify", path, "--key", instance.path / "next.pub")[0] == 1
    assert (
        call(capsys, "-C", tmp_path, "verify", path, "--key", instance.path / "release.pub")[0] == 0
    )
    head, _ = signed.split(path.read_bytes())
    assert b"News" in head


@pytest.mark.usefixtures("built")
def test_a_disk_says_what_its_slots_hold(
    instance: config.Instance, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = slot.boot_area(noise(5000), noise(3000), 1)
    made = disk.Release(kernel, PARTS["root"])
    label = release.label(
        release.image_plan(instance), releasing._parts(made), keys.secret(instance.path)
    )
    assert parse_release(label, keys.public(instance.path)).mounts == {"quota"}
    layout = disk.Layout(boot=2, root=2, perm=16)
    whole = disk.make(disk.Release(made.boot, made.root, label), layout)
    disk.raw(whole, tmp_path / "image")
    status, out, _ = call(capsys, "-C", instance.path, "show", "--json", tmp_path / "image")
    assert status == 0
    shown = json.loads(out)
    assert (shown["committed"], shown["trial"], shown["b"]) == ("a", "", {"state": "empty"})
    assert (shown["a"]["state"], shown["a"]["version"]) == ("good", "0")
    assert "version 0" in call(capsys, "-C", instance.path, "show", tmp_path / "image")[1]
    # The updater finds the slot's chunks at hand.
    with Disk(str(tmp_path / "image")) as device:
        found = slot.Slot.of(device, gpt.read(device), "a")
        parts = {"boot": found.boot, "root": found.root}
        have = slots.have(parts, keys.public(instance.path))
        assert have is not None
        assert all(c.matches(have.read(c.part, c.offset, c.length)) for c in have.index)


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "latest"), "latest: of what?"),
        (("show", "/nonexistent"), "/nonexistent: No such file"),
        (("verify", "snakeroot.toml"), "does not begin with a signature"),
        (("release", "-o", "x", "--percent", "101"), "must be 0 to 100"),
        (("release", "-o", "x", "--key", "nothing"), "nothing: no key to sign with"),
        (("keygen",), "is there already"),
    ],
)
def test_errors_in_a_line_or_two(
    instance: config.Instance,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(instance.path)
    status, out, err = call(capsys, *words)
    assert (status, out) == (1, "")
    assert said in err
    assert len(err.splitlines()) <= 2


def test_keygen_makes_and_rotates(
    instance: config.Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = keys.public(instance.path)
    status, out, _ = call(capsys, "-C", instance.path, "keygen", "--rotate")
    assert status == 0
    assert second.name in out
    assert first.name not in out
    assert keys.public(instance.path)[0] == second


def test_a_channel_file_is_newer_than_the_one_before(tmp_path: Path) -> None:
    """Boxes refuse an older one; the time of the newest input may go back."""

    def published(version: str, created: int, percent: int = 100) -> tuple[int, bytes]:
        made = release.Plan(TARGET, version, created)
        parts = {"boot": io.BytesIO(bytes(512)), "root": io.BytesIO(bytes(1024))}
        release.write(tmp_path, made, parts, KEY, [release.Rollout(percent=percent)])
        data = (tmp_path / channel.file_name(TARGET)).read_bytes()
        head, _ = signed.split(data)
        line, _ = signed.unseal(head, [KEY.public])
        return channel.decode(signed.parse(line)).created, data

    first = published("1.0", 1000)
    assert first[0] == 1000
    assert published("1.0", 1000) == first, "same arguments, same bytes"
    assert published("1.1", 900)[0] == 1001
    assert published("1.1", 900, percent=50)[0] == 1002
    assert published("1.2", 5000)[0] == 5000
    (tmp_path / channel.file_name(TARGET)).write_bytes(b"junk")
    assert published("1.3", 6000)[0] == 6000


def test_what_a_release_gives_away_is_listed(tmp_path: Path) -> None:
    new.create(folder := tmp_path / "box")
    (folder / "key").write_text("secret")
    (folder / "key").chmod(0o600)
    (folder / "note").write_text("note")
    text = (folder / "snakeroot.toml").read_text()
    text = text.replace("environment = { ", "environment = { API_TOKEN = 'x', ")
    text += '\n[files]\n"/etc/key" = "key"\n"/etc/note" = "note"\n'
    text += '"/etc/other" = { source = "note", mode = "0640" }\n'
    (folder / "snakeroot.toml").write_text(text)
    assert release.readable(config.load(folder)) == [
        "the hash of the page's password",
        "the hashes of 1 update token",
        "1 public SSH key",
        "the environment of hello (API_TOKEN, GREETING)",
        "/etc/key, which not everybody may read on the box",
        "/etc/other, which not everybody may read on the box",
    ]
