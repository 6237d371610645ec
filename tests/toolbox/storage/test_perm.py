"""What is known of /perm.  Breaks when an updater takes a release that cannot mount it, or refuses one that can."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.toolbox.storage.test_ext4 import made
from toolbox.storage import perm


@pytest.mark.parametrize("mounted", [True, False])
def test_what_mounting_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounted: bool
) -> None:
    """Of the partition, too, when it is not mounted: this release may have been the one that could not."""
    device = ""
    monkeypatch.setattr(perm, "mounted", lambda: device if mounted else "")
    monkeypatch.setattr(perm, "find", lambda: device or None)
    assert perm.features() == []
    device = made(tmp_path / "plain", "^quota")
    assert perm.features() == []
    device = made(tmp_path / "counting", "quota,^metadata_csum")
    assert perm.features() == ["quota"]
    device = str(tmp_path / "gone")
    assert perm.features() == []
