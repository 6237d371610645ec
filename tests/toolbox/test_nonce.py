"""Numbers without waiting.  Breaks when they repeat, or when a pool that is not ready stops a daemon."""

from __future__ import annotations

import os

import pytest

from toolbox import nonce


def not_ready(size: int, flags: int) -> bytes:
    assert flags & os.GRND_NONBLOCK
    raise BlockingIOError


@pytest.mark.parametrize("ready", [True, False])
def test_numbers(ready: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not ready:
        monkeypatch.setattr(nonce.os, "getrandom", not_ready)
    found = {nonce.nonce(8) for _ in range(1000)}
    assert len(found) == 1000 and all(len(data) == 8 for data in found)
    assert len(nonce.nonce(64)) == 64
    chances = [nonce.chance() for _ in range(1000)]
    assert 0 <= min(chances) < 0.1 and 0.9 < max(chances) < 1
