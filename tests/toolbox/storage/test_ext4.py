"""What is read of an ext4's superblock, and the one thing that is written; mkfs and e2fsck are the oracles."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from toolbox.storage import ext4


def made(path: Path, features: str, block: int = 4096) -> str:
    """An ext4 of 10 MiB in a file of 20."""
    path.write_bytes(b"")
    with path.open("wb") as file:
        file.truncate(20 << 20)
    argv = ["/sbin/mkfs.ext4", "-q", "-O", features, "-b", str(block), str(path), "10M"]
    subprocess.run(argv, check=True)
    return str(path)


@pytest.mark.parametrize(("features", "block"), [("64bit", 4096), ("^64bit", 1024)])
def test_the_size_of_an_ext4(tmp_path: Path, features: str, block: int) -> None:
    assert ext4.size(made(tmp_path / "ext4", features, block)) == ((10 << 20) // block, block)


def test_what_is_no_ext4(tmp_path: Path) -> None:
    path = tmp_path / "zero"
    for data in (bytes(4096), b"", bytes(1024) + b"\x53\xef"):
        path.write_bytes(data)
        for ask in (ext4.size, ext4.has_quota, ext4.drop_quota):
            with pytest.raises(OSError, match="medium type"):
                ask(str(path))


def test_an_ext4_goes_on_without_quotas(tmp_path: Path) -> None:
    path = made(tmp_path / "ext4", "quota,^metadata_csum")
    assert ext4.has_quota(path)
    assert ext4.drop_quota(path)
    assert not ext4.has_quota(path)
    assert ext4.size(path) == ((10 << 20) // 4096, 4096)
    first, second = (
        subprocess.run(["/sbin/e2fsck", "-f", "-p", path], capture_output=True, text=True)
        for _ in range(2)
    )
    assert first.returncode <= 1, (
        first.stdout
    )  # what is left of the counts is cleared without a question
    assert second.returncode == 0, second.stdout
    assert not ext4.has_quota(made(tmp_path / "plain", "^quota"))


def test_a_superblock_with_a_checksum_is_left_alone(tmp_path: Path) -> None:
    path = made(tmp_path / "ext4", "quota,metadata_csum")
    before = Path(path).read_bytes()
    assert not ext4.drop_quota(path)
    assert Path(path).read_bytes() == before
