"""What a box knows of itself.  Breaks when the builder writes what the box does not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.toolbox.release.factory import KEYS, TARGET
from toolbox.release import ReleaseError, own
from toolbox.release.own import Own


def test_what_is_encoded_is_loaded(tmp_path: Path) -> None:
    for name, data in own.encode(Own(TARGET, KEYS, "http://x/releases", "beta")).items():
        (tmp_path / name).write_bytes(data)
    found = own.load(str(tmp_path))
    assert (found.target, found.keys) == (TARGET, KEYS)
    assert (found.url, found.channel) == ("http://x/releases", "beta")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (own.SETTINGS, None),
        (own.KEYS, None),
        (own.KEYS, b""),
        (own.KEYS, b"nothing\n"),
        (own.SETTINGS, b"{}"),
        (own.SETTINGS, b"[]"),
        (own.SETTINGS, b"\xff"),
        (own.SETTINGS, b'{"name":"../x","architecture":"a","board":"b","url":"","channel":"c"}'),
    ],
)
def test_a_box_without_them_takes_no_releases(
    tmp_path: Path, name: str, data: bytes | None
) -> None:
    for path, good in own.encode(Own(TARGET, KEYS)).items():
        (tmp_path / path).write_bytes(good)
    if data is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ReleaseError, match="takes no releases") as raised:
        own.load(str(tmp_path))
    assert len(str(raised.value).splitlines()) == 1
