"""The keys of an instance.  Breaks when a key is written over, readable by others, or not minisign's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from snakeroot import keys
from snakeroot.host import BuildError

from toolbox.trust import minisign


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase costs a second otherwise."""
    true = minisign.SecretKey.encode
    monkeypatch.setattr(
        minisign.SecretKey, "encode", lambda key, word="": true(key, word, 32768, 1 << 21)
    )


@pytest.mark.parametrize("passphrase", ["", "words"])
def test_keys_are_made_read_and_used_by_minisign(
    tmp_path: Path, passphrase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = keys.create(tmp_path, passphrase)
    assert keys.public(tmp_path) == made
    monkeypatch.setenv(keys.PASSPHRASE, passphrase)
    assert keys.secret(tmp_path).public == made[0]
    for name in ("release.key", "next.key"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".gitignore").read_text() == "release.key\nnext.key\n"
    (tmp_path / "file").write_text("text")
    plain = [] if passphrase else ["-W"]
    subprocess.run(
        ["minisign", "-S", *plain, "-s", tmp_path / "release.key", "-m", tmp_path / "file"],
        input=f"{passphrase}\n".encode(),
        check=True,
        capture_output=True,
    )
    subprocess.run(
        ["minisign", "-V", "-p", tmp_path / "release.pub", "-m", tmp_path / "file"],
        check=True,
        capture_output=True,
    )


def test_keys_are_never_written_over(tmp_path: Path) -> None:
    made = keys.create(tmp_path)
    with pytest.raises(BuildError, match="already"):
        keys.create(tmp_path)
    assert keys.public(tmp_path) == made


def test_the_next_key_takes_the_place_of_the_first(tmp_path: Path) -> None:
    first, second = keys.create(tmp_path)
    now = keys.rotate(tmp_path)
    assert now[0] == second
    assert now[1] not in (first, second)
    assert keys.public(tmp_path) == now
    assert keys.secret(tmp_path).public == second
    assert (tmp_path / f"retired-{first.name}.key").exists()
    (tmp_path / "next.key").unlink()
    with pytest.raises(BuildError, match="no such key"):
        keys.rotate(tmp_path)
    assert keys.public(tmp_path) == now


def test_errors_name_the_file_and_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BuildError, match=r"release\.key: no key") as raised:
        keys.secret(tmp_path)
    assert "keygen" in raised.value.hint
    keys.create(tmp_path, "words")
    monkeypatch.setenv(keys.PASSPHRASE, "other words")
    with pytest.raises(BuildError, match=r"release\.key: wrong passphrase"):
        keys.secret(tmp_path)
    (tmp_path / "release.pub").write_text("nothing")
    with pytest.raises(BuildError, match=r"release\.pub"):
        keys.public(tmp_path)
