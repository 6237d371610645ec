"""Tokens.  Breaks when another one passes, when the file keeps one, or when a damaged line matches anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.trust import tokens


def test_a_token_matches_its_line_only() -> None:
    (one, stored), (other, second) = tokens.make(), tokens.make()
    assert len(one) == 64
    assert one not in stored
    assert tokens.verify(one, [second, f"{stored}  the laptop"])
    assert not tokens.verify(other, [stored])
    assert not tokens.verify(one, [])
    assert not tokens.verify("", [stored])
    # A hash is no token: who reads the image learns nothing.
    assert not tokens.verify(stored, [stored])


@given(st.text())
def test_a_line_is_a_hash_or_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="a token's hash is"):
        tokens.parse(line)


@given(st.text(max_size=2000))
def test_any_text_can_be_a_token(text: str) -> None:
    assert tokens.verify(text, [tokens.hash_token(text)]) == (len(text.encode()) <= tokens.LONGEST)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    assert tokens.read_file(str(path)) == []
    token, stored = tokens.make()
    path.write_text(f"{stored} laptop\n\n{stored}\n")
    assert tokens.read_file(str(path)) == [f"{stored} laptop", stored]
    path.write_text(f"{stored}\n{token}\n")
    with pytest.raises(ValueError, match=rf"{path}: line 2: a token's hash is"):
        tokens.read_file(str(path))
    path.write_text(f"{stored}\n" * 2000)
    with pytest.raises(ValueError, match="longer than 65536 bytes"):
        tokens.read_file(str(path))
